//! Nothing of a secret is in what the binary prints or leaves.

use std::path::{Path, PathBuf};
use std::process::Output;

use landfall_snowflake::key::KeyPair;
use tempfile::TempDir;

use crate::account::{Account, OUTPUTS, SecretsManager};
use crate::aws::Aws;
use crate::support::{demo, dir, forms, in_dir, landfall, says_none, shows_none, text};

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

    assert!(key_files.len() == 1 && others.len() > 5, "{key_files:?} {others:?}");
    let forms = forms(&key);
    outputs.iter().for_each(|output| says_none(&forms, output));
    for file in others {
        shows_none(&forms, &file.display().to_string(), &std::fs::read(&file).unwrap());
    }
}

/// What an administrator and a key's owner keep to themselves.
const PASSWORD: &str = "hidden-password";
const PASSCODE: &str = "864209";
const TOKEN: &str = "hidden-token";

/// A folder with Terraform's outputs, and all that there is to reach from it.
struct Everything {
    dir: TempDir,
    account: Account,
    secrets: SecretsManager,
    env: Vec<(&'static str, String)>,
}

impl Everything {
    async fn new() -> Self {
        let (dir, account, secrets) = (tempfile::tempdir().unwrap(), Account::default(), SecretsManager::default());
        std::fs::write(dir.path().join("outputs.json"), OUTPUTS).unwrap();
        let env = vec![
            ("RUST_LOG", "trace".to_owned()),
            ("RUST_BACKTRACE", "1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "a".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "hidden-aws-key".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", Aws::default().serve().await),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets.serve().await),
            ("SNOWFLAKE_URL", account.serve().await),
            ("SNOWFLAKE_ADMIN_USER", "ADA".to_owned()),
        ];
        Self { dir, account, secrets, env }
    }

    async fn run(&self, words: &str, env: &[(&str, &str)]) -> Output {
        let mut command = landfall(&words.split(' ').collect::<Vec<_>>());
        command.current_dir(self.dir.path()).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (*name, value.as_str()))).envs(env.iter().copied());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_secret_is_printed_or_left_by_snowflake_or_doctor() {
    let all = Everything::new().await;
    let administrator = KeyPair::generate().unwrap().private_key_pem;
    std::fs::write(all.dir.path().join("admin.p8"), administrator.expose()).unwrap();
    let by_key = [("SNOWFLAKE_ADMIN_PRIVATE_KEY_FILE", "admin.p8")];
    let by_password = [("SNOWFLAKE_ADMIN_PASSWORD", PASSWORD), ("SNOWFLAKE_ADMIN_PASSCODE", PASSCODE)];
    let by_token = [("SNOWFLAKE_ADMIN_TOKEN", TOKEN)];
    let by_all = [&by_key[..], &by_password, &by_token].concat();
    let mut outputs = Vec::new();
    let mut keys = vec![administrator.expose().to_owned()];
    let mut said = async |words: &str, env: &[(&str, &str)], code: i32| {
        let output = all.run(words, env).await;
        assert_eq!(output.status.code(), Some(code), "{words}: {}{}", text(&output.stdout), text(&output.stderr));
        outputs.push(output);
    };

    said("snowflake keygen --outputs outputs.json", &[], 0).await;
    keys.push(all.secrets.value().unwrap());
    said("snowflake keygen --file own.p8 --public-key own.pub", &[], 0).await;
    keys.push(std::fs::read_to_string(all.dir.path().join("own.p8")).unwrap());
    said("snowflake ddl --outputs outputs.json --public-key landfall_key.pub", &[], 0).await;
    // A private key where the public one belongs.
    said("snowflake ddl --outputs outputs.json --public-key own.p8", &[], 1).await;
    said("snowflake apply --outputs outputs.json --yes", &by_key, 0).await;
    said("snowflake apply --outputs outputs.json", &by_password, 0).await;
    said("snowflake apply --outputs outputs.json", &by_token, 0).await;
    said("snowflake apply --outputs outputs.json", &by_all, 1).await;
    for command in ["snowflake verify", "doctor"] {
        said(&format!("{command} --outputs outputs.json"), &[], 0).await;
        said(&format!("{command} --outputs outputs.json"), &[("SNOWFLAKE_PRIVATE_KEY_FILE", "own.p8")], 0).await;
        for (variable, key) in [("SNOWFLAKE_PRIVATE_KEY_FILE", &keys[1]), ("SNOWFLAKE_PRIVATE_KEY_SECRET", &keys[1])] {
            said(&format!("{command} --outputs outputs.json"), &[(variable, key)], 1).await;
        }
    }
    // What is refused is told with all that is known.
    all.account.refuse("no");
    for words in ["snowflake verify --outputs outputs.json", "doctor --outputs outputs.json"] {
        said(words, &[], 1).await;
    }
    for by in [&by_key[..], &by_password, &by_token] {
        said("snowflake apply --outputs outputs.json", by, 1).await;
    }
    all.secrets.set("hidden-text that is no key");
    said("doctor --outputs outputs.json", &[], 1).await;

    let words = [PASSWORD, PASSCODE, TOKEN, "hidden-aws-key", "hidden-text"].map(|word| word.as_bytes().to_vec());
    let forms: Vec<_> = keys.iter().flat_map(|key| forms(key)).chain(words).collect();
    outputs.iter().for_each(|output| says_none(&forms, output));
    let left: Vec<_> =
        files(all.dir.path()).into_iter().filter(|file| file.extension() != Some("p8".as_ref())).collect();
    assert!(left.len() >= 4, "{left:?}");
    for file in left {
        shows_none(&forms, &file.display().to_string(), &std::fs::read(&file).unwrap());
    }
}
