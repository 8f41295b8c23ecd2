//! A private key that cannot be read, or is none. Nothing of it is shown: each message is looked through for that.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};

use super::{KEY, UPSERT, cold_start, folder, function, pem, said};

/// What upsert says about the contents of its key's file.
async fn said_of(key: impl AsRef<[u8]>) -> String {
    let folder = folder();
    std::fs::write(folder.path().join("rsa_key.p8"), key).unwrap();
    let message = cold_start(folder.path(), "upsert", &[&UPSERT]).await;
    let what = "failed to use the private key of SNOWFLAKE_PRIVATE_KEY_FILE=rsa_key.p8: it is ";
    message.strip_prefix(what).unwrap_or_else(|| panic!("{message}")).to_owned()
}

#[tokio::test]
async fn an_encrypted_key_says_how_to_decrypt_it() {
    let encrypted = KEY.to_pkcs8_encrypted_pem(rsa::rand_core::OsRng, "passphrase", LineEnding::LF).unwrap();
    insta::assert_snapshot!(said_of(encrypted.as_bytes()).await, @"encrypted; decrypt it and give the result: openssl pkcs8 -topk8 -nocrypt -in rsa_key.p8 -out landfall_key.p8 (it asks for the passphrase)");
}

#[tokio::test]
async fn a_key_in_another_format_says_how_to_convert_it() {
    let pkcs1 = KEY.to_pkcs1_pem(LineEnding::LF).unwrap();
    insta::assert_snapshot!(said_of(pkcs1.as_bytes()).await, @"PKCS#1 (-----BEGIN RSA PRIVATE KEY-----) and not PKCS#8; convert it and give the result: openssl pkcs8 -topk8 -nocrypt -in rsa_key.p8 -out landfall_key.p8");
    insta::assert_snapshot!(said_of(KEY.to_pkcs8_der().unwrap().as_bytes()).await, @"binary and no PEM text; convert it, if it is DER, and give the result: openssl pkcs8 -topk8 -nocrypt -inform DER -in rsa_key.p8 -out landfall_key.p8");
}

#[tokio::test]
async fn the_public_key_given_by_mistake_is_told() {
    let public = KEY.to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
    insta::assert_snapshot!(said_of(public).await, @"the public key; give the private one that it was made from, which begins with -----BEGIN PRIVATE KEY-----; the public one is for ALTER USER … SET RSA_PUBLIC_KEY");
}

#[tokio::test]
async fn what_is_no_key_says_how_to_make_one() {
    insta::assert_snapshot!(said_of("not-a-key-but-a-secret").await, @"no PEM text; give it as unencrypted PKCS#8 PEM, which begins with -----BEGIN PRIVATE KEY-----; a new one: openssl genrsa 2048 | openssl pkcs8 -topk8 -nocrypt -out landfall_key.p8");
}

#[tokio::test]
async fn a_key_that_lost_its_line_breaks_says_how_to_store_it() {
    insta::assert_snapshot!(said_of(pem().replace('\n', " ")).await, @"without its line breaks; store it as it stands in its file, for example with aws secretsmanager put-secret-value --secret-id … --secret-string file://landfall_key.p8");
}

#[tokio::test]
async fn a_key_that_went_through_an_editor_is_taken() {
    let folder = folder();
    for key in [
        format!("\u{feff}{}", pem()),
        pem().replace('\n', "\r\n"),
        format!("Bag Attributes\n    friendlyName: landfall\n{}\n\n", pem()),
    ] {
        std::fs::write(folder.path().join("rsa_key.p8"), key).unwrap();

        // Nobody listens on port 9 (discard) of this machine, so log-in is as far as it gets, and signs with the key.
        let message = cold_start(folder.path(), "upsert", &[&UPSERT, &[("SNOWFLAKE_URL", "http://127.0.0.1:9")]]).await;

        assert!(message.starts_with("failed to find Lambda"), "{message}");
    }
}

#[tokio::test]
async fn a_damaged_key_is_found_at_log_in() {
    let folder = folder();
    let pem = pem();
    let half: Vec<_> = pem.lines().enumerate().filter(|(n, _)| *n != 10).map(|(_, line)| line).collect();
    std::fs::write(folder.path().join("rsa_key.p8"), half.join("\n")).unwrap();

    let message = cold_start(folder.path(), "upsert", &[&UPSERT]).await;

    // It says which byte, and keys differ in their length.
    let what = "failed to log in to Snowflake account acme-prod as LANDFALL: private key error (";
    let remedy = "); give an RSA key as unencrypted PKCS#8 PEM, whole: openssl pkcs8 -topk8 -nocrypt -in key.pem";
    assert!(message.starts_with(what) && message.ends_with(remedy), "{message}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let folder = folder();
    let file = folder.path().join("rsa_key.p8");
    std::fs::remove_file(&file).unwrap();
    insta::assert_snapshot!(cold_start(folder.path(), "upsert", &[&UPSERT]).await, @"failed to read rsa_key.p8; set SNOWFLAKE_PRIVATE_KEY_FILE to the path of a file with the user's private key (PKCS#8 PEM), on a laptop; this or the secret, for example SNOWFLAKE_PRIVATE_KEY_FILE=rsa_key.p8: No such file or directory (os error 2)");

    std::fs::create_dir(&file).unwrap();
    insta::assert_snapshot!(cold_start(folder.path(), "upsert", &[&UPSERT]).await, @"failed to read rsa_key.p8; set SNOWFLAKE_PRIVATE_KEY_FILE to the path of a file with the user's private key (PKCS#8 PEM), on a laptop; this or the secret, for example SNOWFLAKE_PRIVATE_KEY_FILE=rsa_key.p8: Is a directory (os error 21)");
}

#[tokio::test]
async fn a_file_that_may_not_be_read_says_so() {
    let folder = folder();
    let file = folder.path().join("rsa_key.p8");
    let mode =
        |path: &std::path::Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&file, 0o000);
    let mut command = function(folder.path(), "upsert", &[&UPSERT]);
    if std::fs::read(&file).is_ok() {
        // The superuser reads everything, so nobody is to try: with a program that nobody may start.
        let program = folder.path().join("upsert");
        std::fs::copy(env!("CARGO_BIN_EXE_landfall-tests"), &program).unwrap();
        mode(folder.path(), 0o755);
        let envs: Vec<_> =
            command.get_envs().map(|(name, value)| (name.to_owned(), value.unwrap().to_owned())).collect();
        command = std::process::Command::new(program);
        command.arg("upsert").current_dir(folder.path()).env_clear().envs(envs).uid(65_534);
    }

    insta::assert_snapshot!(said(command).await, @"failed to read rsa_key.p8; let the user that runs this read it (chmod; in a function's zip: chmod 644 before zipping), or set SNOWFLAKE_PRIVATE_KEY_FILE to the path of a file with the user's private key (PKCS#8 PEM), on a laptop; this or the secret, for example SNOWFLAKE_PRIVATE_KEY_FILE=rsa_key.p8: Permission denied (os error 13)");
}
