//! Ours and the peers on one file.

use anyhow::Result;

use super::files::Subject;
use super::numbers::median;
use super::ours::{Disk, Ours, Run};
use super::peers::{Answer, Peer, Peers};

/// Who takes part.
#[derive(Debug)]
pub struct Contest<'a> {
    /// Ours.
    pub ours: &'a Ours,
    /// The others; DuckDB is the opponent in pairs.
    pub peers: &'a Peers,
    /// Runs of ours and of the opponent each.
    pub pairs: usize,
}

/// What one program needed.
#[derive(Clone, Debug)]
pub struct Score {
    /// Its name, with the formulation that was fastest.
    pub name: String,
    /// Of each run.
    pub walls_ms: Vec<u64>,
    /// Of each run.
    pub peaks_kb: Vec<u64>,
    /// What it answered, the same in all runs.
    pub totals: Totals,
}

/// What all must answer alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Totals {
    /// Events after dedup.
    pub count: i128,
    /// Of their quantities.
    pub sum: i128,
}

/// All figures of a file.
#[derive(Debug)]
pub struct Section {
    /// The file.
    pub subject: Subject,
    /// Its length.
    pub bytes: u64,
    /// Its rows, copies included, if they could be counted.
    pub rows: Option<u64>,
    /// Account × type × hour, if a peer counted them.
    pub groups: Option<i128>,
    /// Ours; nothing if this build does not read it.
    pub ours: Option<Score>,
    /// The last run of ours.
    pub last: Option<Run>,
    /// What lay on disk after `verify`.
    pub verified: Option<Disk>,
    /// The others; the first is the opponent if it is DuckDB.
    pub peers: Vec<Score>,
    /// Whether the first of the others is the opponent.
    pub opponent: bool,
    /// What is wrong: answers that differ, fates that are not the file's.
    pub wrong: Vec<String>,
    /// What was left out, and why.
    pub skipped: Vec<String>,
}

impl Section {
    /// The file's title.
    pub fn title(&self) -> &str {
        &self.subject.title
    }

    /// Whether all gave the same answers; ratios are printed only then.
    pub fn agreed(&self) -> bool {
        self.wrong.is_empty()
    }
}

impl Contest<'_> {
    /// Runs all on a file.
    ///
    /// **Errors**: ours fails. A peer that fails is left out and said so.
    pub fn hold(&self, subject: &Subject) -> Result<Section> {
        eprintln!("{}: {}", subject.title, subject.path.display());
        let mut section = Section {
            subject: subject.clone(),
            bytes: subject.bytes()?,
            rows: self.peers.rows(subject)?,
            groups: None,
            ours: None,
            last: None,
            verified: None,
            peers: Vec::new(),
            opponent: false,
            wrong: Vec::new(),
            skipped: self.peers.missing.clone(),
        };
        let takes_part = self.ours.reads(subject);
        if !takes_part {
            section.skipped.push("Counterfoil: this build reads no Parquet".to_owned());
        }
        let mut others = self.peers.found.iter().collect::<Vec<_>>();
        let mut opponent = None;
        if others.first().is_some_and(|peer| peer.kind.key == "duckdb") {
            opponent = self.fastest(others.remove(0), &mut section);
        }
        self.pairs(takes_part, opponent, &mut section)?;
        if takes_part {
            section.verified = Some(self.ours.verify(subject)?);
            eprintln!("  verify agrees");
        }
        for peer in others {
            self.alone(peer, &mut section);
        }
        check(&mut section);
        Ok(section)
    }

    /// Ours and the opponent in turn; who begins changes with every pair.
    fn pairs(&self, ours: bool, opponent: Option<(&Peer, &str)>, section: &mut Section) -> Result<()> {
        let subject = section.subject.clone();
        let (mut runs, mut answers) = (Vec::new(), Vec::new());
        for pair in 0..self.pairs {
            let ours_first = pair % 2 == 0;
            for turn in [ours_first, !ours_first] {
                if turn && ours {
                    let run = self.ours.count(&subject)?;
                    eprintln!(
                        "  {}/{} Counterfoil: {} ms, {} kB",
                        pair + 1,
                        self.pairs,
                        run.wall_ms,
                        run.peak_kb
                    );
                    runs.push(run);
                } else if let (false, Some((peer, way))) = (turn, opponent) {
                    let answer = self.peers.ask(peer, way, &subject)?;
                    tell(&format!("{}/{} {}", pair + 1, self.pairs, peer.kind.name), &answer);
                    answers.push(answer);
                }
            }
        }
        if let Some((peer, way)) = opponent {
            push(section, peer, way, &answers);
            section.opponent = true;
        }
        if let Some(last) = runs.last() {
            let totals = Totals { count: last.count, sum: last.sum };
            section.ours = Some(Score {
                name: "Counterfoil".to_owned(),
                walls_ms: runs.iter().map(|run| run.wall_ms).collect(),
                peaks_kb: runs.iter().map(|run| run.peak_kb).collect(),
                totals,
            });
            if runs
                .iter()
                .any(|run| run.fates != last.fates || Totals { count: run.count, sum: run.sum } != totals)
            {
                section.wrong.push("two runs of ours answered differently".to_owned());
            }
            section.last = Some(last.clone());
        }
        Ok(())
    }

    /// A peer by itself, a few times.
    fn alone(&self, peer: &Peer, section: &mut Section) {
        if section.subject.is_parquet() && !peer.kind.parquet {
            section.skipped.push(format!("{}: reads no Parquet", peer.kind.name));
            return;
        }
        let Some((_, way)) = self.fastest(peer, section) else { return };
        let mut answers = Vec::new();
        for _ in 0..peer.kind.runs.unwrap_or(self.pairs).min(self.pairs) {
            match self.peers.ask(peer, way, &section.subject) {
                Ok(answer) => {
                    tell(peer.kind.name, &answer);
                    answers.push(answer);
                }
                Err(error) => {
                    section.skipped.push(format!("{}: {error:#}", peer.kind.name));
                    return;
                }
            }
        }
        push(section, peer, way, &answers);
    }

    /// The formulation that is fastest on this file, each tried three times, slow ones once; with one there is
    /// nothing to try.
    fn fastest<'p>(&self, peer: &'p Peer, section: &mut Section) -> Option<(&'p Peer, &'static str)> {
        if let [only] = peer.kind.formulations {
            return Some((peer, only));
        }
        let tries = if peer.kind.runs.is_none() { 3 } else { 1 };
        let mut tried = Vec::new();
        for way in peer.kind.formulations {
            for _ in 0..tries {
                match self.peers.ask(peer, way, &section.subject) {
                    Ok(answer) => {
                        tell(&format!("{} `{way}`, tried", peer.kind.name), &answer);
                        tried.push((answer.wall_ms, *way));
                    }
                    Err(error) => eprintln!("  {error:#}"),
                }
            }
        }
        let best = tried.into_iter().min();
        if best.is_none() {
            section.skipped.push(format!("{}: failed on this file", peer.kind.name));
        }
        best.map(|(_, way)| (peer, way))
    }
}

fn tell(who: &str, answer: &Answer) {
    eprintln!("  {who}: {} ms, {} kB", answer.wall_ms, answer.peak_kb);
}

fn push(section: &mut Section, peer: &Peer, way: &str, answers: &[Answer]) {
    let Some(last) = answers.last() else { return };
    let totals = Totals { count: last.count, sum: last.sum };
    if answers.iter().any(|answer| Totals { count: answer.count, sum: answer.sum } != totals) {
        section.wrong.push(format!("two runs of {} answered differently", peer.kind.name));
    }
    let groups = *section.groups.get_or_insert(last.groups);
    if groups != last.groups {
        section.wrong.push(format!("{} found {} groups, others {groups}", peer.kind.name, last.groups));
    }
    let name = match peer.kind.formulations {
        [_] => peer.kind.name.to_owned(),
        _ => format!("{} `{way}`", peer.kind.name),
    };
    section.peers.push(Score {
        name,
        walls_ms: answers.iter().map(|answer| answer.wall_ms).collect(),
        peaks_kb: answers.iter().map(|answer| answer.peak_kb).collect(),
        totals,
    });
}

/// Compares all answers, and ours with the file.
fn check(section: &mut Section) {
    let scores: Vec<&Score> = section.ours.iter().chain(&section.peers).collect();
    let mut wrong = Vec::new();
    for pair in scores.windows(2) {
        if let [one, other] = pair
            && one.totals != other.totals
        {
            wrong.push(format!("{}: {}, {}: {}", one.name, one.totals, other.name, other.totals));
        }
    }
    if let (Some(run), Some(rows)) = (&section.last, section.rows) {
        let fates = run.fates;
        if fates.received != rows {
            wrong.push(format!("the file has {rows} rows, {} were received", fates.received));
        }
        let all = [fates.accepted, fates.duplicate, fates.conflict, fates.rejected].iter().sum::<u64>();
        if all != fates.received || i128::from(fates.accepted) != run.count {
            wrong.push(format!("the fates do not add up to what was counted: {fates:?}"));
        }
    }
    section.wrong.extend(wrong);
}

impl Score {
    /// The median of the runs.
    pub fn wall_ms(&self) -> u64 {
        median(&self.walls_ms)
    }

    /// The median of the runs.
    pub fn peak_kb(&self) -> u64 {
        median(&self.peaks_kb)
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "count {}, sum {}", self.count, self.sum)
    }
}
