//! The README's sections on daily use and on a schema of one's own, followed literally.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{dir, text};

/// The commands of a fenced block, and what the block after it says that they print.
struct Step {
    commands: String,
    output: String,
}

fn workspace() -> PathBuf {
    std::path::absolute(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

/// Each `sh` block of a section, with the `text` block that follows it. What needs a terminal of its own, or another
/// program, has no language.
fn steps(readme: &str, section: &str) -> Vec<Step> {
    let section = readme.split_once(&format!("\n## {section}\n")).unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let mut steps: Vec<Step> = Vec::new();
    // Outside, inside, outside, …
    for block in section.split("```").skip(1).step_by(2) {
        let (language, block) = block.split_once('\n').unwrap();
        match language {
            "sh" => steps.push(Step { commands: block.to_owned(), output: String::new() }),
            "" => {}
            "text" => steps.last_mut().unwrap().output = block.to_owned(),
            other => panic!("a block of {other:?}"),
        }
    }
    steps
}

/// A folder like a clone, whose `cargo run --release --` is the binary of this test.
async fn clone() -> tempfile::TempDir {
    let clone = dir().await;
    let venv = std::fs::read_link(clone.path().join("venv")).unwrap();
    std::fs::remove_file(clone.path().join("venv")).unwrap();
    std::fs::create_dir_all(clone.path().join(".landfall")).unwrap();
    symlink(venv, clone.path().join(".landfall/venv")).unwrap();
    for name in ["examples", "events", "pipeline.toml"] {
        symlink(workspace().join(name), clone.path().join(name)).unwrap();
    }
    let shim = clone.path().join("bin/cargo");
    std::fs::create_dir(clone.path().join("bin")).unwrap();
    let script = format!(
        "#!/bin/sh\n[ \"$1 $2 $3\" = 'run --release --' ] || exit 99\nshift 3\nexec '{}' \"$@\"\n",
        env!("CARGO_BIN_EXE_landfall")
    );
    std::fs::write(&shim, script).unwrap();
    std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
    clone
}

/// Whether the lines stand in the output one after the other; `…` is any text of a line, or any lines.
#[track_caller]
fn assert_prints(output: &str, expected: &str) {
    let mut rest = output.lines();
    let mut anything = false;
    for line in expected.lines() {
        if line == "…" {
            anything = true;
            continue;
        }
        let fits = |printed: &&str| {
            let (start, end) = line.split_once('…').unwrap_or((line, ""));
            if line.contains('…') {
                printed.starts_with(start) && printed.ends_with(end)
            } else {
                printed.trim_end() == line
            }
        };
        let found =
            if anything { rest.find(|printed| fits(printed)) } else { rest.next().filter(|printed| fits(printed)) };
        assert!(found.is_some(), "the README has {line:?}, and this is printed:\n{output}");
        anything = false;
    }
}

/// Runs a section's commands as they stand there.
async fn follow(section: &str, n_steps: usize) {
    let clone = clone().await;
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let steps = steps(&readme, section);
    assert_eq!(steps.len(), n_steps);
    let path = format!("{}:{}", clone.path().join("bin").display(), std::env::var("PATH").unwrap());

    for Step { commands, output } in steps {
        let done = Command::new("sh")
            .args(["-e", "-c", &commands])
            .current_dir(clone.path())
            .env("PATH", &path)
            .env("CARGO_MANIFEST_DIR", ".")
            .output()
            .unwrap();

        assert_eq!(done.status.code(), Some(0), "{commands}\n{}{}", text(&done.stdout), text(&done.stderr));
        assert_prints(&text(&done.stdout), &output);
    }
}

#[tokio::test]
async fn events_are_replayed_and_asked_for_as_the_readme_says() {
    follow("Every day", 2).await;
}

#[tokio::test]
async fn a_schema_of_ones_own_is_made_as_the_readme_says() {
    follow("Your own schema in five minutes", 5).await;
}
