//! A file that is there whole or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::output::Failure;

/// A file that grows under another name, and goes away if it is not published.
pub struct PartialFile {
    path: PathBuf,
    partial: PathBuf,
    overwrite: bool,
    published: bool,
}

impl PartialFile {
    /// Begins a file. What an earlier run that was killed left under the other name is written over.
    ///
    /// **Errors**: `output_exists` where it is there already; `output_failed`.
    pub fn create(path: &Path, overwrite: bool) -> Result<(Self, File), Failure> {
        check_free(path, overwrite)?;
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).map_err(|error| failed(&partial, &error))?;
        Ok((Self { path: path.to_owned(), partial, overwrite, published: false }, file))
    }

    /// Makes the file durable, then gives it its name; answers its bytes.
    ///
    /// **Errors**: as [`PartialFile::create`].
    pub fn publish(mut self, file: &File) -> Result<u64, Failure> {
        let bytes =
            file.sync_all().and_then(|()| file.metadata()).map_err(|error| self.failed(&error))?.len();
        check_free(&self.path, self.overwrite)?;
        std::fs::rename(&self.partial, &self.path).map_err(|error| self.failed(&error))?;
        self.published = true;
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // Its name must survive a crash as its bytes do.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| self.failed(&error))?;
        Ok(bytes)
    }

    /// That it could not be written.
    pub fn failed(&self, error: &dyn std::fmt::Display) -> Failure {
        failed(&self.path, error)
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed is named as a part, and written over the next time.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// A name is free where nothing has it, or a file that may be replaced.
fn check_free(path: &Path, overwrite: bool) -> Result<(), Failure> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !(overwrite && found.is_file()) => Err(Failure::could_not(
            "output_exists",
            format!("expected a name that is free, found `{}`", path.display()),
            "name another file, or replace that one with --overwrite",
        )),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(path, &error)),
    }
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::could_not(
        "output_failed",
        format!("could not write `{}`: {error}", path.display()),
        "name a file in a folder that is there, can be written and has room",
    )
}
