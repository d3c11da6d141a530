//! What a `Cargo.toml` depends on; only the plain form that this workspace uses is read.

use std::collections::BTreeSet;

/// The tables of a manifest that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Names under `[dependencies]`.
    pub dependencies: BTreeSet<String>,
    /// Names under `[dev-dependencies]`.
    pub dev_dependencies: BTreeSet<String>,
    /// Names under `[build-dependencies]`.
    pub build_dependencies: BTreeSet<String>,
    /// Whether `[lints]` says `workspace = true`.
    pub workspace_lints: bool,
}

impl Manifest {
    /// Reads the text of a manifest.
    pub fn read(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut table = "";
        for line in text.lines().map(|line| line.split('#').next().unwrap_or("").trim()) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                table = name;
                for (prefix, names) in [
                    ("dependencies.", &mut manifest.dependencies),
                    ("dev-dependencies.", &mut manifest.dev_dependencies),
                    ("build-dependencies.", &mut manifest.build_dependencies),
                ] {
                    if let Some(dependency) = name.strip_prefix(prefix) {
                        names.insert(dependency.to_owned());
                    }
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let name = key.trim().split('.').next().unwrap_or("").to_owned();
            // `[target.….dependencies]` counts like any other.
            match table.rsplit('.').next().unwrap_or("") {
                "dependencies" => drop(manifest.dependencies.insert(name)),
                "dev-dependencies" => drop(manifest.dev_dependencies.insert(name)),
                "build-dependencies" => drop(manifest.build_dependencies.insert(name)),
                "lints" if name == "workspace" => manifest.workspace_lints = value.trim() == "true",
                _ => {}
            }
        }
        manifest
    }
}

/// The lines of all tables of a manifest whose name begins with a prefix, with the prefix cut off.
pub fn tables(text: &str, prefix: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.starts_with(prefix);
            if inside {
                kept.push_str(&format!("[{}]\n", &name[prefix.len()..]));
            }
        } else if inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_in_every_form() {
        let manifest = Manifest::read(
            "[package]\nname = \"a\"\n[dependencies]\nmoney.workspace = true # b = 1\nx = \"1\"\n\
             [dependencies.y]\nversion = \"2\"\n[target.'cfg(unix)'.dependencies]\nz = \"1\"\n\
             [dev-dependencies]\nproptest = { workspace = true }\n[lints]\nworkspace = true\n",
        );
        assert_eq!(manifest.dependencies.iter().collect::<Vec<_>>(), ["money", "x", "y", "z"]);
        assert_eq!(manifest.dev_dependencies.iter().collect::<Vec<_>>(), ["proptest"]);
        assert!(manifest.workspace_lints);
        assert!(!Manifest::read("[lints]\nworkspace = false\n").workspace_lints);
    }

    #[test]
    fn tables_lose_their_prefix() {
        let text = "[workspace.lints.rust]\na = \"deny\"\n\n[profile.dev]\nb = 1\n";
        assert_eq!(tables(text, "workspace."), "[lints.rust]\na = \"deny\"\n\n");
    }
}
