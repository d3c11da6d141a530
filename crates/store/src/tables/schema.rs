//! The schema: what each table holds, and the order in which its rows are compared.
//!
//! Times are nanoseconds since 1970 UTC, positions and rows whole numbers, amounts decimal texts, bodies
//! canonical JSON. Text is compared byte by byte.

/// Grows with every change of the schema or of how rows and blocks are applied to it; an older file is
/// derived anew.
pub(super) const VERSION: i64 = 1;

/// Creates everything but [`PERSONAL_VALUES`] in an empty database.
pub(super) const CREATE: &str = "
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  schema_version INTEGER NOT NULL,
  applied_row INTEGER NOT NULL,
  applied_row_hash TEXT NOT NULL,
  applied_position INTEGER NOT NULL,
  applied_block_hash TEXT NOT NULL
) STRICT;
CREATE TABLE commands (
  number INTEGER PRIMARY KEY,
  recorded_at INTEGER NOT NULL,
  class TEXT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT,
  command TEXT NOT NULL,
  idempotency_key TEXT,
  result TEXT NOT NULL
) STRICT;
CREATE INDEX commands_by_key ON commands (idempotency_key, number) WHERE idempotency_key IS NOT NULL;
CREATE TABLE terms (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  effective_at INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  recorded_time INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (kind, name, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (
  name TEXT NOT NULL PRIMARY KEY,
  first_position INTEGER,
  by_row INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE personal (
  account TEXT NOT NULL,
  field TEXT NOT NULL,
  hash TEXT,
  by_row INTEGER NOT NULL,
  PRIMARY KEY (account, field)
) STRICT, WITHOUT ROWID;
CREATE TABLE seals (
  by_row INTEGER NOT NULL,
  place INTEGER NOT NULL,
  seller TEXT NOT NULL,
  period TEXT NOT NULL,
  end_at INTEGER NOT NULL,
  shard INTEGER NOT NULL,
  incarnation INTEGER NOT NULL,
  position INTEGER NOT NULL,
  block_hash TEXT NOT NULL,
  override_reason TEXT,
  PRIMARY KEY (by_row, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE invoices (
  invoice TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL,
  seller TEXT NOT NULL,
  period TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('draft', 'issued')),
  series TEXT,
  sequence INTEGER,
  number TEXT,
  total TEXT NOT NULL,
  currency TEXT NOT NULL,
  body TEXT NOT NULL,
  envelope TEXT NOT NULL,
  drafted_by_row INTEGER NOT NULL,
  issued_by_row INTEGER,
  CHECK ((status = 'issued') = (number IS NOT NULL AND sequence IS NOT NULL AND series IS NOT NULL))
) STRICT;
CREATE INDEX invoices_by_period ON invoices (period, account);
CREATE INDEX invoices_by_account ON invoices (account);
CREATE INDEX invoices_by_number ON invoices (number) WHERE number IS NOT NULL;
CREATE UNIQUE INDEX invoices_by_sequence ON invoices (seller, series, sequence) WHERE sequence IS NOT NULL;
CREATE TABLE invoice_lines (
  invoice TEXT NOT NULL,
  line INTEGER NOT NULL,
  key TEXT NOT NULL,
  account TEXT NOT NULL,
  amount TEXT NOT NULL,
  PRIMARY KEY (invoice, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX invoice_lines_by_account ON invoice_lines (account, key);
CREATE TABLE entries (
  id TEXT NOT NULL PRIMARY KEY,
  by_row INTEGER NOT NULL,
  place INTEGER NOT NULL,
  seller TEXT NOT NULL,
  payer TEXT NOT NULL,
  account TEXT NOT NULL,
  document TEXT NOT NULL,
  document_line INTEGER,
  line_key TEXT,
  ledger_account TEXT NOT NULL,
  posting_type TEXT NOT NULL,
  cause TEXT NOT NULL,
  tax_component TEXT,
  accounting_date TEXT NOT NULL,
  service_start TEXT,
  service_end TEXT,
  recorded_position INTEGER NOT NULL,
  side TEXT NOT NULL CHECK (side IN ('debit', 'credit')),
  amount TEXT NOT NULL,
  currency TEXT NOT NULL
) STRICT;
CREATE INDEX entries_by_row ON entries (by_row, place);
CREATE INDEX entries_by_document ON entries (document);
CREATE INDEX entries_by_account ON entries (account);
CREATE INDEX entries_by_line_key ON entries (line_key) WHERE line_key IS NOT NULL;
CREATE TABLE quarantine (
  position INTEGER PRIMARY KEY,
  feed TEXT NOT NULL,
  line INTEGER NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  format TEXT NOT NULL,
  source TEXT,
  id TEXT,
  received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX quarantine_by_code ON quarantine (code);
CREATE INDEX quarantine_by_feed ON quarantine (feed);
CREATE TABLE quarantine_status (
  position INTEGER PRIMARY KEY,
  status TEXT NOT NULL,
  by_row INTEGER NOT NULL
) STRICT;
CREATE TABLE fates (
  feed TEXT NOT NULL,
  source TEXT,
  fate TEXT NOT NULL,
  code TEXT,
  records INTEGER NOT NULL,
  units TEXT NOT NULL
) STRICT;
CREATE INDEX fates_by_feed ON fates (feed, fate, source, code);
";

/// The values of personal fields. They derive from nothing: a rebuild of the tables keeps them, and only
/// an erasure or a new value takes one away.
pub(super) const PERSONAL_VALUES: &str = "
CREATE TABLE IF NOT EXISTS personal_values (
  account TEXT NOT NULL,
  field TEXT NOT NULL,
  hash TEXT NOT NULL,
  value TEXT NOT NULL,
  by_row INTEGER NOT NULL,
  PRIMARY KEY (account, field, hash)
) STRICT, WITHOUT ROWID;
";

/// A table as it is compared: its name, and a statement with its rows in a fixed order.
pub(super) struct Compared {
    /// The table.
    pub(super) table: &'static str,
    /// Its rows, ordered by a unique key.
    pub(super) select: &'static str,
}

/// Every derived table.
pub(super) const COMPARED: &[Compared] = &[
    Compared { table: "commands", select: "SELECT * FROM commands ORDER BY number" },
    Compared { table: "terms", select: "SELECT * FROM terms ORDER BY kind, name, version" },
    Compared { table: "accounts", select: "SELECT * FROM accounts ORDER BY name" },
    Compared { table: "personal", select: "SELECT * FROM personal ORDER BY account, field" },
    Compared { table: "seals", select: "SELECT * FROM seals ORDER BY by_row, place" },
    Compared { table: "invoices", select: "SELECT * FROM invoices ORDER BY invoice" },
    Compared { table: "invoice_lines", select: "SELECT * FROM invoice_lines ORDER BY invoice, line" },
    Compared { table: "entries", select: "SELECT * FROM entries ORDER BY by_row, place" },
    Compared { table: "quarantine", select: "SELECT * FROM quarantine ORDER BY position" },
    Compared { table: "quarantine_status", select: "SELECT * FROM quarantine_status ORDER BY position" },
    Compared { table: "fates", select: "SELECT * FROM fates ORDER BY feed, fate, source, code" },
    Compared { table: "meta", select: "SELECT * FROM meta" },
];
