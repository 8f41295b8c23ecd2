//! What holds for the repository as a whole: arrows between crates, purity of core, the README's table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::workspace;

/// Which crates of ours each may use, and which of others' it must not.
const ARROWS: [(&str, &[&str]); 12] = [
    ("crates/core", &[]),
    ("crates/aws", &["landfall-core"]),
    ("crates/landing", &["landfall-aws", "landfall-core"]),
    ("crates/metrics", &["landfall-core"]),
    ("crates/orchestrator", &["landfall-aws", "landfall-core", "landfall-landing", "landfall-metrics"]),
    ("crates/transform", &["landfall-aws", "landfall-core", "landfall-landing", "landfall-metrics"]),
    ("crates/snowflake", &["landfall-core"]),
    ("crates/upsert", &["landfall-aws", "landfall-core", "landfall-metrics", "landfall-snowflake"]),
    ("crates/generator", &["landfall-core"]),
    ("crates/local", &["landfall-core", "landfall-snowflake"]),
    (
        "crates/cli",
        &[
            "landfall-aws",
            "landfall-core",
            "landfall-generator",
            "landfall-local",
            "landfall-orchestrator",
            "landfall-snowflake",
            "landfall-transform",
            "landfall-upsert",
        ],
    ),
    (
        "tests",
        &[
            "landfall-aws",
            "landfall-core",
            "landfall-generator",
            "landfall-landing",
            "landfall-local",
            "landfall-orchestrator",
            "landfall-snowflake",
            "landfall-transform",
            "landfall-upsert",
        ],
    ),
];

fn dependencies(manifest: &Path, table: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let manifest: toml::Table = toml::from_str(&text).unwrap();
    manifest.get(table).and_then(|table| table.as_table()).into_iter().flat_map(|table| table.keys().cloned()).collect()
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    for (folder, allowed) in ARROWS {
        for table in ["dependencies", "dev-dependencies"] {
            let used = dependencies(&workspace().join(folder).join("Cargo.toml"), table);
            let ours = used.iter().filter(|name| name.starts_with("landfall"));
            let unwanted: Vec<_> = ours.filter(|name| !allowed.contains(&name.as_str())).collect();
            assert!(unwanted.is_empty(), "{folder} {table}: {unwanted:?}");
        }
    }
    let members: toml::Table =
        toml::from_str(&std::fs::read_to_string(workspace().join("Cargo.toml")).unwrap()).unwrap();
    let members = members["workspace"]["members"].as_array().unwrap();
    assert_eq!(members.len(), ARROWS.len(), "a crate has no arrows");
}

#[test]
fn core_is_pure() {
    let used = dependencies(&workspace().join("crates/core/Cargo.toml"), "dependencies");
    let impure =
        used.iter().filter(|name| ["tokio", "tracing", "aws", "lambda"].iter().any(|bad| name.starts_with(bad)));
    assert_eq!(impure.collect::<Vec<_>>(), Vec::<&String>::new());
    let bad = ["std::env::", "std::fs::", "std::net", "SystemTime::now", "Instant::now", "Utc::now", "async fn"];
    for (path, text) in sources("crates/core/src") {
        for bad in bad {
            assert!(!code(&text).contains(bad), "{}: {bad}", path.display());
        }
    }
}

#[test]
fn only_main_reads_the_environment_of_a_function() {
    for folder in [
        "crates/aws/src",
        "crates/landing/src",
        "crates/orchestrator/src",
        "crates/transform/src",
        "crates/upsert/src",
        "crates/snowflake/src",
    ] {
        for (path, text) in sources(folder) {
            let is_main = path.file_name().is_some_and(|name| name == "main.rs");
            assert!(is_main || !code(&text).contains("env::var"), "{}", path.display());
        }
    }
}

#[test]
fn sdk_types_stay_in_adapters() {
    let adapters = ["upsert_function.rs", "function.rs", "secret.rs", "main.rs"];
    for folder in ["crates/orchestrator/src", "crates/transform/src", "crates/upsert/src"] {
        for (path, text) in sources(folder) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap();
            let sdk = ["aws_sdk_", "aws_config::", "lambda_runtime::"].iter().any(|sdk| code(&text).contains(sdk));
            assert!(!sdk || adapters.contains(&name), "{}", path.display());
        }
    }
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    for (path, text) in sources("crates").into_iter().chain(sources("tests")) {
        let bad = ["#[allow", "#![allow", "#[ignore", "todo!(", "unimplemented!("].map(|bad| bad.to_owned());
        let is_this = path.ends_with("tests/it/tidy.rs");
        for bad in bad {
            assert!(is_this || !text.contains(&bad), "{}: {bad}", path.display());
        }
    }
}

#[test]
fn the_readme_lists_every_variable() {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let rows: BTreeSet<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned()))
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    let variables = landfall_orchestrator::config::VARIABLES.iter();
    let variables = variables.chain(&landfall_transform::config::VARIABLES).chain(&landfall_upsert::config::VARIABLES);
    let names: BTreeSet<String> = variables.clone().map(|variable| variable.name.to_owned()).collect();
    assert_eq!(rows, names);
    for variable in variables {
        let default = variable.default.map_or("**required**".to_owned(), |default| {
            if default.is_empty() { "not set".to_owned() } else { format!("`{default}`") }
        });
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{}` |", variable.name))).unwrap();
        assert!(row.contains(variable.meaning), "{}: {}", variable.name, variable.meaning);
        assert!(row.contains(&format!("| {default} |")), "{}: {default}: {row}", variable.name);
        assert!(row.contains(&format!("`{}`", variable.example)), "{}: {}", variable.name, variable.example);
    }
}

/// All Rust sources below a folder.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut files, mut folders) = (Vec::new(), vec![workspace().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(!files.is_empty());
    files
}

/// A source without its comments and its unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
