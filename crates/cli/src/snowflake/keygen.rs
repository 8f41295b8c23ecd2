//! `landfall snowflake keygen`: a key pair for the service user.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use landfall_snowflake::Secret;
use landfall_snowflake::key::{KeyPair, Slot, set_public_key, unset_public_key};

use super::outputs::OutputsOptions;
use super::secrets::Secrets;
use super::{PUBLIC_KEY_FILE, confirmed, identifier};
use crate::console::{self, program};
use crate::failure::Failure;

/// Makes an RSA key pair of 2048 bits. The private key goes into Secrets Manager or a file that only you can read, and is
/// never shown; the public one into landfall_key.pub, for landfall snowflake apply, and into the ALTER USER that is printed.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  landfall snowflake keygen --terraform infra/terraform
  landfall snowflake keygen --secret landfall/snowflake-key --rotate
  landfall snowflake keygen --file landfall_key.p8")]
pub(super) struct KeygenOptions {
    #[command(flatten)]
    outputs: OutputsOptions,

    /// The secret's name or ARN [default: Terraform's snowflake_secret_arn].
    #[arg(long, value_name = "ARN")]
    secret: Option<String>,

    /// Write the private key to a new file of mode 0600 instead.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["secret", "terraform", "outputs"])]
    file: Option<PathBuf>,

    /// Where the public key goes.
    #[arg(long, default_value = PUBLIC_KEY_FILE, value_name = "FILE")]
    public_key: PathBuf,

    /// The user that upsert logs in as.
    #[arg(long, default_value = "LANDFALL_LOADER", value_name = "NAME", value_parser = identifier)]
    user: String,

    /// Replace the key that is in use: the new public key goes beside it, into RSA_PUBLIC_KEY_2, before the secret changes.
    #[arg(long)]
    rotate: bool,

    /// With --rotate: which of the user's two public keys is free.
    #[arg(long, default_value = "2", requires = "rotate")]
    slot: SlotName,

    /// Do not ask whether the ALTER USER has been run.
    #[arg(long, requires = "rotate")]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SlotName {
    /// RSA_PUBLIC_KEY
    #[value(name = "1")]
    First,
    /// RSA_PUBLIC_KEY_2
    #[value(name = "2")]
    Second,
}

pub(super) async fn run(options: &KeygenOptions) -> anyhow::Result<ExitCode> {
    let slot = match (options.rotate, options.slot) {
        (true, SlotName::Second) => Slot::Second,
        _ => Slot::First,
    };
    let place = place(options).await?;
    let pair = KeyPair::generate()?;
    let alter = set_public_key(&options.user, slot, &pair.public_key);
    if let (true, Place::Secret(..)) = (options.rotate, &place) {
        // Before the secret changes: a function that starts after that logs in with the new key.
        console::print(&format!("{alter};"))?;
        console::print_note("As an administrator, run the statement above now. The secret changes after that.");
        if !confirmed("Has it been run?", options.yes)? {
            console::print_note("nothing has been changed: the new key is gone");
            return Ok(ExitCode::FAILURE);
        }
    }
    write_public(&options.public_key, &pair.public_key.pem())?;
    let stored = match &place {
        Place::File(path) => {
            write_private(path, &pair.private_key_pem)?;
            path.display().to_string()
        }
        Place::Secret(secrets, id) => {
            secrets.put(&pair.private_key_pem).await?;
            id.clone()
        }
    };
    let fingerprint = &pair.public_key.fingerprint;
    console::print_note(&format!(
        "private key  {stored}\npublic key   {}\nfingerprint  {fingerprint}\n",
        options.public_key.display()
    ));
    if options.rotate {
        console::print_note(&format!(
            "Next: {} snowflake verify; and when no function logs in with the old key any more (an hour, or at once after \
             a deployment):\n{};",
            program(),
            unset_public_key(&options.user, slot.other())
        ));
        if matches!(place, Place::File(_)) {
            console::print(&format!("{alter};"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    console::print_note(&format!("{} snowflake apply gives {} the public key; so does:", program(), options.user));
    console::print(&format!("{alter};"))?;
    Ok(ExitCode::SUCCESS)
}

/// Where the private key goes.
enum Place {
    File(PathBuf),
    Secret(Secrets, String),
}

/// Looked at before a key is made: a secret that holds one is replaced by `--rotate` alone, a file never.
async fn place(options: &KeygenOptions) -> anyhow::Result<Place> {
    if let Some(path) = &options.file {
        if path.exists() {
            let what = format!("failed to write {}: it is there already", path.display());
            return Err(Failure { what, remedy: "name a new file: --file".to_owned() }.into());
        }
        return Ok(Place::File(path.clone()));
    }
    let outputs = options.outputs.read()?;
    let Some(id) = options.secret.as_deref().or(outputs.get("snowflake_secret_arn")) else {
        return Err(Failure {
            what: "failed to find a place for the private key".to_owned(),
            remedy: "give --terraform DIR, whose output snowflake_secret_arn it is, --secret ARN or --file FILE"
                .to_owned(),
        }
        .into());
    };
    let secrets = Secrets::of(id).await?;
    if !options.rotate && secrets.is_set().await? {
        return Err(Failure {
            what: format!("failed to store a key: {id} holds one, and functions may be using it"),
            remedy: "give --rotate, which puts the new public key beside the old one".to_owned(),
        }
        .into());
    }
    Ok(Place::Secret(secrets, id.to_owned()))
}

fn write_public(path: &Path, pem: &str) -> anyhow::Result<()> {
    std::fs::write(path, pem).map_err(|error| {
        let what = format!("failed to write {}: {error}", path.display());
        Failure { what, remedy: "name a file that can be written: --public-key".to_owned() }.into()
    })
}

/// Readable for its owner alone, from the first byte on.
fn write_private(path: &Path, pem: &Secret) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(pem.expose().as_bytes()));
    written.map_err(|error| {
        let what = format!("failed to write {}: {error}", path.display());
        Failure { what, remedy: "name a new file: --file".to_owned() }.into()
    })
}
