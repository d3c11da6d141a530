//! Records of the logs behind checksums that are right: what a writer with a defect, or an enemy, could leave.

use store::framed::{self, SECTOR_BYTES};
use store::{Roots, check_files};

use crate::base::{CLOSED, KILLED, open, shared};
use crate::edits::edits;

/// The first byte chooses the store and file. Then either damage to what is under the checksums, or a record.
pub fn run(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let base = if first & 1 == 0 { &*CLOSED } else { &*KILLED };
    let disk = base.disk.after_kill();
    let folder = if first & 2 == 0 { "log/" } else { "journal/" };
    let names: Vec<String> = disk.names().into_iter().filter(|name| name.starts_with(folder)).collect();
    let name = &names[usize::from(first >> 3) % names.len()];
    let bytes = disk.content(name);
    let whole = bytes.len() / SECTOR_BYTES * SECTOR_BYTES;
    let forged = if first & 4 == 0 {
        let Ok(mut payload) = framed::decode(0, &bytes[..whole]) else { return };
        edits(data).for_each(|edit| edit.apply_inside(&mut payload));
        framed::encode(0, &payload)
    } else {
        [&bytes[..SECTOR_BYTES], &framed::encode(1, data)].concat()
    };
    disk.put(name, &forged);
    drop(check_files(&shared(&disk)));
    if let Ok((roots, _)) = Roots::open_read_only(shared(&disk.after_kill())) {
        read(&roots);
    }
    if let Ok((roots, _)) = open(&disk) {
        read(&roots);
    }
}

/// Reads in every way until something is wrong.
fn read(roots: &Roots) {
    let _ = roots.blocks(0).find(Result::is_err);
    let _ = roots.fates(0).find(Result::is_err);
    let _ = roots.headers(0).find(Result::is_err);
    let _ = roots.rows(1).find(Result::is_err);
    let _ = roots.check_head(&roots.head());
}
