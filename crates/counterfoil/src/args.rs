//! The command line: one place for every flag.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Counts every usage event once, prices it, and proves the bill.
#[derive(Parser)]
#[command(name = "counterfoil", version, propagate_version = true)]
#[command(after_help = "Exit status: 0 done, 1 done with problems found, 2 usage error, 3 could not.\n\n\
    Example:\n  counterfoil demo\n  counterfoil --data counterfoil-demo invoice list")]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Args)]
pub struct Global {
    /// The store's folder
    #[arg(
        long,
        global = true,
        env = "COUNTERFOIL_DATA",
        default_value = "counterfoil-data",
        value_name = "DIR"
    )]
    pub data: PathBuf,
    /// How results are printed on stdout
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Who asks; stands in the journal
    #[arg(long, global = true, env = "COUNTERFOIL_ACTOR", default_value = "cli", value_name = "NAME")]
    pub actor: String,
    /// Why; stands in the journal
    #[arg(long, global = true, value_name = "TEXT")]
    pub reason: Option<String>,
    /// A repeated command with the same key answers the first result again; `ingest` needs none
    #[arg(long, global = true, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Keys for a new store, so that two can be compared by digest; a store that is there must have the same
    #[arg(long, global = true, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// A clock that stands still, RFC 3339; for replays and tests
    #[arg(long, global = true, value_name = "TIME")]
    pub now: Option<String>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs; decimals are strings.
    Json,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Counts, prices and invoices a seeded month in a fresh folder
    #[command(after_help = "Example:\n  counterfoil demo --events 100000 --seed 7")]
    Demo(WorldArgs),
    /// Writes the demo's configuration and events as files
    #[command(after_help = "Example:\n  counterfoil gen --events 1000 --seed 7 --out world")]
    Gen(GenArgs),
    /// Shows the plan of changes of configuration files and applies it
    #[command(after_help = "Example:\n  counterfoil apply -f config/ --reason 'new price from October'")]
    Apply(ApplyArgs),
    /// Counts files of events
    #[command(after_help = "Examples:\n  counterfoil ingest events.ndjson.gz\n  \
        counterfoil ingest --input csv --mapping calls.yaml calls.csv\n  \
        counterfoil ingest --resume events.ndjson.gz\n  \
        zcat events.ndjson.gz | counterfoil ingest --feed gateway -")]
    Ingest(IngestArgs),
    /// Answers what was used
    #[command(after_help = "Examples:\n  counterfoil usage --total\n  \
        counterfoil usage --meter error --from 2026-08-01 --to 2026-09-01 --by account --by day\n  \
        counterfoil usage --meter error --zone Europe/Berlin --from 2026-08-01 --to 2026-08-02 --by hour\n  \
        counterfoil usage --events --meter error --account org-1 --from 2026-08-01 --to 2026-08-02")]
    Usage(UsageArgs),
    /// Writes events or usage as a Parquet file
    Export(ExportArgs),
    /// Rates a usage file by a price file, without a store
    #[command(after_help = "Example:\n  counterfoil rate --price price.yaml --usage usage.csv")]
    Rate(RateArgs),
    /// Makes and shows invoices
    Invoice(InvoiceArgs),
    /// Explains an invoice line down to its events
    #[command(after_help = "Example:\n  counterfoil explain DEMO-000001 1")]
    Explain(ExplainArgs),
    /// Lists, shows and replays what was refused
    Quarantine(QuarantineArgs),
    /// Shows and erases personal fields of an account
    Personal(PersonalArgs),
    /// Reads and derives everything again and names the first difference
    #[command(
        after_help = "Examples:\n  counterfoil verify\n  counterfoil verify --export-head head.json\n  \
        counterfoil verify --head head.json"
    )]
    Verify(VerifyArgs),
}

/// The seeded world.
#[derive(Args)]
pub struct WorldArgs {
    /// How many event records are sent, duplicates and broken ones included
    #[arg(long, default_value_t = 2_000_000)]
    pub events: u64,
    /// Another seed is another world
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `gen`.
#[derive(Args)]
pub struct GenArgs {
    /// The world
    #[command(flatten)]
    pub world: WorldArgs,
    /// The folder to write; must not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `apply`.
#[derive(Args)]
pub struct ApplyArgs {
    /// A YAML file, or a folder of them
    #[arg(short = 'f', long = "file", required = true, value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// Shows the plan only; writes nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The format of event files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// CloudEvents 1.0, a JSON object a line.
    Cloudevents,
    /// Sentry outcomes, a JSON object a line.
    SentryOutcomes,
    /// CSV with a mapping file.
    Csv,
    /// Parquet with columns `id`, `source`, `type`, `subject`, `time` and properties; recognised by itself.
    Parquet,
}

/// `ingest`.
#[derive(Args)]
pub struct IngestArgs {
    /// Files of events, gzip and zstd recognised; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Their format
    #[arg(long, value_enum, default_value_t = InputFormat::Cloudevents)]
    pub input: InputFormat,
    /// How CSV columns map to an event
    #[arg(long, value_name = "FILE", required_if_eq("input", "csv"))]
    pub mapping: Option<PathBuf>,
    /// The feed's name in the counts; default: the file's base name
    #[arg(long, value_name = "NAME")]
    pub feed: Option<String>,
    /// The source of events that tell none; default: the feed; what only its line identifies needs one on stdin
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Says on stdout after every batch how many records are durable; in place of the table
    #[arg(long, conflicts_with = "format")]
    pub acknowledge: bool,
    /// Goes on where the last run of each file stopped: what it took is compared and not taken again
    #[arg(long)]
    pub resume: bool,
    /// Records a batch, each one sync
    #[arg(long, default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch: u32,
}

/// `usage`.
#[derive(Args)]
pub struct UsageArgs {
    /// A meter; all where absent
    #[arg(long)]
    pub meter: Option<String>,
    /// Of what
    #[command(flatten)]
    pub selected: SelectedArgs,
    /// Groups: account, source, type, hour, day, month, or a dimension of the meter
    #[arg(long, value_name = "GROUP")]
    pub by: Vec<String>,
    /// Keeps a value of a dimension; repeat it for more values or dimensions
    #[arg(long, value_name = "DIMENSION=VALUE")]
    pub only: Vec<String>,
    /// Counts and sums per meter over all time
    #[arg(long, conflicts_with_all = ["events", "fates", "late", "by", "from", "to"])]
    pub total: bool,
    /// Lists the single events in the order (time, source, id)
    #[arg(long, requires = "meter", conflicts_with_all = ["fates", "late", "by"])]
    pub events: bool,
    /// The fates of all that was received, per feed and source
    #[arg(long, conflicts_with = "late")]
    pub fates: bool,
    /// What arrived behind a seal
    #[arg(long)]
    pub late: bool,
    /// Reads usage by the meters known at a journal row
    #[arg(long, value_name = "ROW", conflicts_with_all = ["fates", "late"])]
    pub known_at: Option<u64>,
}

/// Which part of the log is asked for.
#[derive(Args)]
pub struct SelectedArgs {
    /// An account; all where absent
    #[arg(long)]
    pub account: Option<String>,
    /// From when, included: a date or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until when, excluded: a date or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// The zone of dates, hours, days and months
    #[arg(long, default_value = "UTC")]
    pub zone: String,
    /// Only what was received below a log position
    #[arg(long, value_name = "POSITION")]
    pub as_of: Option<u64>,
}

/// `export`.
#[derive(Args)]
pub struct ExportArgs {
    /// What to export
    #[command(subcommand)]
    pub command: ExportCommand,
}

/// What can be exported.
#[derive(Subcommand)]
pub enum ExportCommand {
    /// Every accepted event, in the order of the log
    #[command(after_help = "Examples:\n  counterfoil export events --output events.parquet\n  \
        counterfoil export events --output august.parquet --from 2026-08-01 --to 2026-09-01")]
    Events(ExportedArgs),
    /// A meter's usage by account, source, type, dimensions and hour
    #[command(after_help = "Example:\n  \
        counterfoil export usage --meter error --zone Europe/Berlin --from 2026-08-01 --to 2026-09-01 \
        --output error.parquet")]
    Usage {
        /// The meter
        #[arg(long)]
        meter: String,
        /// Reads usage by the meters known at a journal row
        #[arg(long, value_name = "ROW")]
        known_at: Option<u64>,
        /// What of it, and where to
        #[command(flatten)]
        exported: ExportedArgs,
    },
}

/// What every export is told.
#[derive(Args)]
pub struct ExportedArgs {
    /// The file to write; while it grows it is named FILE.partial
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replaces the file if it is there
    #[arg(long)]
    pub overwrite: bool,
    /// Of what
    #[command(flatten)]
    pub selected: SelectedArgs,
}

/// `rate`.
#[derive(Args)]
pub struct RateArgs {
    /// A YAML file with one document of `kind: price`
    #[arg(long, value_name = "FILE")]
    pub price: PathBuf,
    /// A CSV file with the columns `key,quantity`; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub usage: PathBuf,
    /// The currency; needed where the price has several
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Quantity included in the price
    #[arg(long, default_value = "0", value_name = "QUANTITY")]
    pub included: String,
    /// half_away_from_zero, half_even, up or down
    #[arg(long, default_value = "half_away_from_zero", value_name = "MODE")]
    pub rounding: String,
}

/// `invoice`.
#[derive(Args)]
pub struct InvoiceArgs {
    /// What to do with invoices
    #[command(subcommand)]
    pub command: InvoiceCommand,
}

/// The commands on invoices.
#[derive(Subcommand)]
pub enum InvoiceCommand {
    /// Seals a period, drafts and issues its invoices
    #[command(after_help = "Examples:\n  counterfoil invoice run --period 2026-08\n  \
        counterfoil invoice run --period 2026-08 --seal-early 'customer leaves today'")]
    Run {
        /// The month in which the billing periods begin
        #[arg(long, value_name = "YYYY-MM")]
        period: String,
        /// Seals although the period and its grace are not over; the reason is journalled
        #[arg(long, value_name = "REASON")]
        seal_early: Option<String>,
        /// Stops at drafts
        #[arg(long)]
        draft: bool,
    },
    /// Lists invoices
    #[command(after_help = "Example:\n  counterfoil invoice list --period 2026-08 --format json")]
    List {
        /// Of one period
        #[arg(long, value_name = "YYYY-MM")]
        period: Option<String>,
        /// Of one payer
        #[arg(long)]
        account: Option<String>,
        /// Prints the canonical bodies, one a line, byte for byte
        #[arg(long)]
        bodies: bool,
    },
    /// Shows an invoice by its number or id
    #[command(after_help = "Example:\n  counterfoil invoice show DEMO-000001")]
    Show {
        /// Its number or id
        invoice: String,
        /// Prints the canonical body alone, byte for byte
        #[arg(long, conflicts_with = "envelope")]
        body: bool,
        /// Prints the provenance envelope alone
        #[arg(long)]
        envelope: bool,
    },
}

/// `explain`.
#[derive(Args)]
pub struct ExplainArgs {
    /// The invoice's number or id
    pub invoice: String,
    /// The line; all where absent
    pub line: Option<u32>,
}

/// `quarantine`.
#[derive(Args)]
pub struct QuarantineArgs {
    /// What to do with the quarantine
    #[command(subcommand)]
    pub command: QuarantineCommand,
}

/// The commands on the quarantine.
#[derive(Subcommand)]
pub enum QuarantineCommand {
    /// Lists what was refused
    #[command(after_help = "Examples:\n  counterfoil quarantine list --code unknown_type\n  \
        counterfoil quarantine list --source gate --from 2026-08-01 --to 2026-08-02")]
    List {
        /// Which records
        #[command(flatten)]
        wanted: WantedArgs,
        /// Closed records too
        #[arg(long)]
        all: bool,
    },
    /// Shows one record with its bytes
    #[command(after_help = "Example:\n  counterfoil quarantine show 1234")]
    Show {
        /// Its position
        position: u64,
    },
    /// Sends records again, repaired
    #[command(after_help = "Examples:\n  counterfoil quarantine replay 1234 --set data.quantity=3\n  \
        counterfoil quarantine replay 1234 --with fixed.json\n  \
        counterfoil quarantine replay --code unknown_type\n  \
        counterfoil quarantine replay --code unknown_account --source gate")]
    Replay {
        /// Their positions; without any, all open records that are wanted
        #[arg(required_unless_present = "wanted", conflicts_with = "wanted")]
        positions: Vec<u64>,
        /// Which records
        #[command(flatten)]
        wanted: WantedArgs,
        /// Sets a member to a JSON value; text that is no JSON is taken as a string
        #[arg(long, value_name = "PATH=VALUE")]
        set: Vec<String>,
        /// Replaces the record by the bytes of a file
        #[arg(long, value_name = "FILE", conflicts_with = "set")]
        with: Option<PathBuf>,
    },
}

/// Which records in quarantine are wanted: those that meet all that is given.
#[derive(Args)]
#[group(id = "wanted", multiple = true)]
pub struct WantedArgs {
    /// Of one code, such as unknown_type
    #[arg(long)]
    pub code: Option<String>,
    /// Of one feed
    #[arg(long)]
    pub feed: Option<String>,
    /// Of one source
    #[arg(long)]
    pub source: Option<String>,
    /// Received then or later: a time, or a date in UTC
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Received before: a time, or a date in UTC
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

/// `personal`.
#[derive(Args)]
pub struct PersonalArgs {
    /// What to do with personal fields
    #[command(subcommand)]
    pub command: PersonalCommand,
}

/// The commands on personal fields.
#[derive(Subcommand)]
pub enum PersonalCommand {
    /// Shows the personal fields of an account
    #[command(after_help = "Example:\n  counterfoil personal show org-1")]
    Show {
        /// The account
        account: String,
    },
    /// Erases the personal fields of an account; the journal keeps that it was done
    #[command(after_help = "Example:\n  counterfoil personal erase org-1 --reason 'asked by the customer'")]
    Erase {
        /// The account
        account: String,
    },
}

/// `verify`.
#[derive(Args)]
pub struct VerifyArgs {
    /// An exported head to check the chain against
    #[arg(long, value_name = "FILE")]
    pub head: Option<PathBuf>,
    /// Writes the journal's head, to be kept elsewhere
    #[arg(long, value_name = "FILE")]
    pub export_head: Option<PathBuf>,
}
