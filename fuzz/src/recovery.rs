//! Recovery: whatever became of the files, a store opens or says why not, and never shows what was not written.

use metering::Instant;
use store::{Block, ErrorKind, Roots, StoreError, check_files};

use crate::base::{Base, CLOSED, KILLED, NOW, open, shared};
use crate::edits::{Edit, edits};

/// The first byte chooses the store; the rest is damage.
pub fn run(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let base: &Base = if first % 2 == 0 { &CLOSED } else { &KILLED };
    let damage: Vec<Edit> = edits(data).collect();
    let disk = base.disk.after_kill();
    let names = disk.names();
    let mut flips = 0;
    for edit in &damage {
        let name = &names[edit.file(names.len())];
        let mut bytes = disk.content(name);
        flips += usize::from(edit.flip(bytes.len()).is_some());
        edit.apply(&mut bytes);
        disk.put(name, &bytes);
    }
    // One flipped bit is never taken for a write that did not come.
    let is_seen = damage.len() == flips && flips <= 1;
    drop(check_files(&shared(&disk)));
    drop(Roots::open_read_only(shared(&disk.after_kill())).map(|(roots, _)| shown(&roots, base)));
    match open(&disk) {
        Err(error) => {
            assert!(!error.code.is_empty() && !error.hint.is_empty() && !damage.is_empty(), "{error}")
        }
        Ok((roots, _)) => {
            let found = shown(&roots, base);
            if is_seen {
                let is_refused = |error: &StoreError| error.kind == ErrorKind::Corrupt;
                let is_whole =
                    found.as_ref().is_ok_and(|(end, rows)| *end >= base.end && *rows == base.rows.len());
                assert!(is_whole || found.as_ref().is_err_and(is_refused), "{damage:?}: {found:?}");
            }
            drop(roots.close(Instant(NOW.0 + 1), &[]));
            drop(check_files(&shared(&disk)));
        }
    }
}

/// Reads everything: what is shown is what was written, in order. Answers its end and the rows that were found.
fn shown(roots: &Roots, base: &Base) -> Result<(u64, usize), StoreError> {
    let mut end = 0;
    for (number, block) in roots.blocks(0).enumerate() {
        let block: Block = block?;
        assert_eq!(Some(&block.draft), base.blocks.get(number), "block {number}");
        end = block.end();
    }
    assert_eq!(end, roots.end());
    let mut found = 0;
    for row in roots.rows(1) {
        let row = row?;
        if row.draft.command == "fuzz" {
            assert_eq!(Some(&row), base.rows.get(found), "row {}", row.number);
            found += 1;
        }
    }
    Ok((end, found))
}
