//! Nothing of a private key is in what the binary prints or leaves.

use std::path::{Path, PathBuf};

use crate::support::{demo, dir, in_dir, landfall};

/// All files below a folder. A link is not followed: the venv is one.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

#[tokio::test]
async fn nothing_of_the_key_is_printed_or_left_by_any_command() {
    let dir = dir().await;

    let mut outputs = vec![demo(dir.path(), &["--records", "40", "--poison", "0.1"]).output().unwrap()];
    assert!(outputs[0].status.success(), "{outputs:?}");
    let files = files(dir.path());
    let (key_files, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.ends_with("rsa_key.p8"));
    let key = std::fs::read_to_string(&key_files[0]).unwrap();
    outputs.push(in_dir("sql", dir.path()).arg("select nothing").output().unwrap());
    // An account that does not answer, with the key; and the key itself where its place belongs.
    for (variable, value) in [
        ("SNOWFLAKE_PRIVATE_KEY_FILE", key_files[0].display().to_string()),
        ("SNOWFLAKE_PRIVATE_KEY_FILE", key.clone()),
        ("SNOWFLAKE_PRIVATE_KEY_SECRET", key.clone()),
    ] {
        let mut command = landfall(&["sql", "--deployed", "select 1"]);
        command.current_dir(dir.path()).env_clear().env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
        command.env("SNOWFLAKE_ACCOUNT", "acme-prod").env("SNOWFLAKE_USER", "LOADER");
        command.env("SNOWFLAKE_URL", "http://127.0.0.1:1").env(variable, value);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        outputs.push(output);
    }

    let lines: Vec<&str> = key.lines().filter(|line| !line.is_empty() && !line.starts_with("-----")).collect();
    assert!(lines.len() > 10 && key_files.len() == 1 && others.len() > 5, "{key_files:?} {others:?}");
    let said = outputs.iter().flat_map(|output| [("stdout", &output.stdout), ("stderr", &output.stderr)]);
    let said = said.map(|(name, bytes)| (name.to_owned(), bytes.clone()));
    let left = others.iter().map(|file| (file.display().to_string(), std::fs::read(file).unwrap()));
    for (name, bytes) in said.chain(left) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!lines.iter().any(|line| text.contains(line)), "{name} holds a line of the key");
    }
}
