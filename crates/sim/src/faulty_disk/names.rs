//! The names of files and folders: what is seen, what is durable, and the changes between.

use std::collections::{BTreeMap, BTreeSet};

use super::PowerCut;
use super::chance::Chance;

/// A change of a name.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Link { name: String, inode: u64 },
    Unlink { name: String },
    Rename { from: String, to: String, inode: u64 },
    Folder { name: String },
}

impl NameChange {
    /// The folder whose sync makes it durable.
    fn folder(&self) -> &str {
        match self {
            Self::Link { name, .. } | Self::Unlink { name } | Self::Folder { name } => folder_of(name),
            Self::Rename { to, .. } => folder_of(to),
        }
    }
}

/// The folder that holds a name.
pub(super) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Names as they stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub files: BTreeMap<String, u64>,
    folders: BTreeSet<String>,
}

impl Names {
    pub fn has_folder(&self, folder: &str) -> bool {
        folder.is_empty() || self.folders.contains(folder)
    }

    pub fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Link { name, inode } => {
                self.files.insert(name.clone(), *inode);
            }
            NameChange::Unlink { name } => {
                self.files.remove(name);
            }
            NameChange::Rename { from, to, inode } => {
                if self.files.get(from) == Some(inode) {
                    self.files.remove(from);
                }
                self.files.insert(to.clone(), *inode);
            }
            NameChange::Folder { name } => {
                self.folders.insert(name.clone());
            }
        }
    }

    /// Files whose folder is lost are lost with it.
    fn drop_orphans(&mut self) {
        let folders = &self.folders;
        self.files.retain(|name, _| folder_of(name).is_empty() || folders.contains(folder_of(name)));
    }
}

/// Names that are durable, and the changes since.
#[derive(Clone, Debug, Default)]
pub(super) struct DurableNames {
    pub names: Names,
    pending: Vec<NameChange>,
}

impl DurableNames {
    pub fn of(names: Names) -> Self {
        Self { names, pending: Vec::new() }
    }

    pub fn push(&mut self, change: NameChange) {
        self.pending.push(change);
    }

    pub fn sync(&mut self, folder: &str) {
        let (now, later) = std::mem::take(&mut self.pending).into_iter().partition(|c| c.folder() == folder);
        let now: Vec<NameChange> = now;
        self.pending = later;
        for change in &now {
            self.names.apply(change);
        }
    }

    /// A sync that failed.
    pub fn drop_pending(&mut self, folder: &str) {
        self.pending.retain(|change| change.folder() != folder);
    }

    pub fn after_power_cut(&self, chance: &mut Chance, cut: PowerCut) -> Names {
        let mut left = self.names.clone();
        if cut != PowerCut::LoseAll {
            let way = chance.below(4);
            let prefix = chance.below(self.pending.len() + 1);
            for (place, change) in self.pending.iter().enumerate() {
                let kept = match way {
                    0 => false,
                    1 => true,
                    2 => place < prefix,
                    _ => chance.coin(),
                };
                if kept {
                    left.apply(change);
                }
            }
        }
        left.drop_orphans();
        left
    }
}
