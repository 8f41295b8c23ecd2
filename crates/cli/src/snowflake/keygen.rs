//! `landfall snowflake keygen`: a key pair for the service user.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use landfall_snowflake::Secret;
use landfall_snowflake::key::{KeyPair, Slot, set_public_key};

use super::outputs::{Outputs, OutputsOptions};
use super::secrets::Secrets;
use super::{PUBLIC_KEY_FILE, USER, identifier, name, rotate};
use crate::console::{self, program};
use crate::failure::Failure;

/// Makes an RSA key pair of 2048 bits. The private key goes into Secrets Manager or a file that only you can read, and is
/// never shown; the public one into landfall_key.pub, for landfall snowflake apply, and into the ALTER USER that is printed.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Environment, for --rotate:
  SNOWFLAKE_ADMIN_USER, …  an administrator's log-in, as for apply: the free one of the user's two public keys is looked up
                           and set. Without it, give --slot and run the ALTER USER yourself.
  SNOWFLAKE_ACCOUNT        organization-account [default: Terraform's snowflake_account]

Examples:
  landfall snowflake keygen --terraform infra/terraform
  landfall snowflake keygen --terraform infra/terraform --rotate
  landfall snowflake keygen --file landfall_key.p8")]
pub(super) struct KeygenOptions {
    #[command(flatten)]
    pub(super) outputs: OutputsOptions,

    /// The secret's name or ARN [default: Terraform's snowflake_secret_arn].
    #[arg(long, value_name = "ARN")]
    secret: Option<String>,

    /// Write the private key to a new file of mode 0600 instead.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["secret", "terraform", "outputs"])]
    file: Option<PathBuf>,

    /// Where the public key goes.
    #[arg(long, default_value = PUBLIC_KEY_FILE, value_name = "FILE")]
    pub(super) public_key: PathBuf,

    /// The user that upsert logs in as [default: Terraform's snowflake_user, or else LANDFALL_LOADER].
    #[arg(long, value_name = "NAME", value_parser = identifier)]
    user: Option<String>,

    /// Replace the key that is in use: the new public key goes beside it, and has to log in before the secret changes.
    #[arg(long, conflicts_with = "file")]
    rotate: bool,

    /// With --rotate: which of the user's two public keys is to be replaced, never the one in use.
    #[arg(long, requires = "rotate")]
    pub(super) slot: Option<SlotName>,

    /// Do not ask. With --rotate and an administrator's log-in.
    #[arg(long, requires = "rotate")]
    pub(super) yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SlotName {
    /// RSA_PUBLIC_KEY
    #[value(name = "1")]
    First,
    /// RSA_PUBLIC_KEY_2
    #[value(name = "2")]
    Second,
}

impl From<SlotName> for Slot {
    fn from(name: SlotName) -> Self {
        match name {
            SlotName::First => Self::First,
            SlotName::Second => Self::Second,
        }
    }
}

pub(super) async fn run(options: &KeygenOptions) -> anyhow::Result<ExitCode> {
    let outputs = options.outputs.read()?;
    let user = name(options.user.as_deref(), &outputs, "snowflake_user", USER)?;
    let place = place(options, &outputs).await?;
    if let (true, Place::Secret(secrets, id)) = (options.rotate, &place) {
        return rotate::run(options, &user, &outputs, (secrets, id)).await;
    }
    let pair = KeyPair::generate()?;
    place.store(&pair.private_key_pem).await?;
    console::print(&format!("{};", set_public_key(&user, Slot::First, &pair.public_key)))?;
    stored(options, &place.name(), &pair)?;
    console::print_note(&format!("{} snowflake apply gives {} the public key; so does the above.", program(), user));
    Ok(ExitCode::SUCCESS)
}

/// What is done once the private key is where it belongs. Not before: a public key without its private one, in the file
/// that `apply` reads, is a trap.
pub(super) fn stored(options: &KeygenOptions, place: &str, pair: &KeyPair) -> anyhow::Result<()> {
    write_public(&options.public_key, &pair.public_key.pem())?;
    console::print_note(&format!(
        "private key  {}\npublic key   {}\nfingerprint  {}\n",
        place,
        options.public_key.display(),
        pair.public_key.fingerprint
    ));
    Ok(())
}

/// Where the private key goes.
enum Place {
    File(PathBuf),
    Secret(Secrets, String),
}

impl Place {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Secret(_, id) => id.clone(),
        }
    }

    async fn store(&self, pem: &Secret) -> anyhow::Result<()> {
        match self {
            Self::File(path) => write_private(path, pem),
            Self::Secret(secrets, _) => secrets.put(pem).await,
        }
    }
}

/// Looked at before a key is made: a secret that holds one is replaced by `--rotate` alone, a file never.
async fn place(options: &KeygenOptions, outputs: &Outputs) -> anyhow::Result<Place> {
    if let Some(path) = &options.file {
        if path.exists() {
            let what = format!("failed to write {}: it is there already", path.display());
            return Err(Failure { what, remedy: "name a new file: --file".to_owned() }.into());
        }
        return Ok(Place::File(path.clone()));
    }
    let Some(id) = options.secret.as_deref().or(outputs.get("snowflake_secret_arn")) else {
        if options.outputs.are_named() {
            let what =
                "failed to find a place for the private key: Terraform has no output snowflake_secret_arn".to_owned();
            return Err(Failure { what, remedy: "terraform apply first: it makes the secret".to_owned() }.into());
        }
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
