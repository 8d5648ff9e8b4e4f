//! Dependencies point one way. This reads the sources' own `crate::` paths and holds them to the map in `src/lib.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From below to above; a module may use what stands below it. Those on one line never use each other.
const LAYERS: &[&[&str]] = &[
    &["domain", "shutdown", "telemetry"],
    &["spatial"],
    &["crypto"],
    &["wire", "tls"],
    &["store"],
    &["service"],
    &["http", "ws", "jobs"],
    &["config"],
    &["app"],
    &["cli"],
];

/// Crates that one layer alone may name.
const OWNED: &[(&str, &str)] = &[
    ("sqlx::", "store"),
    ("ring::", "crypto"),
    ("hpke::", "crypto"),
    ("rcgen::", "crypto"),
    ("argon2::", "crypto"),
    ("axum::", "http ws app"),
    ("reqwest::", "cli jobs"),
    ("lettre::", "jobs"),
    ("clap::", "cli telemetry"),
];

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Every module of ours that a line names through `crate::`.
fn named(line: &str) -> BTreeSet<String> {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices("crate::")
        .filter_map(|(at, word)| {
            let rest = code.get(at + word.len()..).unwrap_or_default();
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            (!name.is_empty()).then_some(name)
        })
        .collect()
}

#[test]
fn dependencies_point_one_way_and_each_outside_crate_has_its_layer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 50, "the sources were found");
    let mut faults = Vec::new();
    for file in &files {
        let relative = file.strip_prefix(&src).unwrap();
        let first = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let module = first.trim_end_matches(".rs");
        let Some(own) = rank(module) else {
            assert!(
                matches!(module, "lib" | "main"),
                "{module} stands in no layer"
            );
            continue;
        };
        for (number, line) in std::fs::read_to_string(file).unwrap().lines().enumerate() {
            let at = format!("src/{}:{}", relative.display(), number + 1);
            for other in named(line) {
                let Some(theirs) = rank(&other) else { continue };
                if other != module && theirs >= own {
                    faults.push(format!("{at}: {module} uses {other}"));
                }
            }
            let code = line.split("//").next().unwrap_or_default();
            for (outside, owners) in OWNED {
                let uses = code.contains(&format!("use {outside}"))
                    || code.contains(&format!(" {outside}"))
                    || code.contains(&format!("&mut {outside}"));
                if uses && !owners.split(' ').any(|o| o == module) {
                    faults.push(format!("{at}: {outside} belongs to {owners}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
