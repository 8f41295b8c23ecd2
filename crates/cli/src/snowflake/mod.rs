//! `landfall snowflake`: the account's side of a deployment.

mod administrator;
mod apply;
mod ddl;
mod keygen;
pub(crate) mod outputs;
mod rotate;
mod secrets;
mod tfvars;
mod verify;

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use landfall_snowflake::ddl::Settings;
use landfall_snowflake::key::PublicKey;

use self::outputs::Outputs;
pub(crate) use self::secrets::Secrets;
pub(crate) use self::verify::{Named, service_environment};
use crate::console;
use crate::failure::Failure;

/// Sets a Snowflake account up for a pipeline, and looks whether it is.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  landfall snowflake ddl                              the SQL, with placeholders
  landfall snowflake keygen --terraform infra/terraform
  landfall snowflake apply --terraform infra/terraform
  landfall snowflake verify")]
pub(crate) struct SnowflakeOptions {
    #[command(subcommand)]
    command: SnowflakeCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum SnowflakeCommand {
    /// Print the SQL that sets an account up.
    Ddl(ddl::DdlOptions),
    /// Make in an account what is missing there, and tell Terraform what it has to know of it.
    Apply(apply::ApplyOptions),
    /// Log in as the service user and try what it is for.
    Verify(verify::VerifyOptions),
    /// Make the service user's key pair; the private key goes into Secrets Manager.
    Keygen(keygen::KeygenOptions),
}

pub(crate) async fn run(options: SnowflakeOptions) -> anyhow::Result<ExitCode> {
    match options.command {
        SnowflakeCommand::Ddl(options) => ddl::run(&options),
        SnowflakeCommand::Apply(options) => apply::run(&options).await,
        SnowflakeCommand::Verify(options) => verify::run(&options).await,
        SnowflakeCommand::Keygen(options) => keygen::run(&options).await,
    }
}

/// What the public key is called, unless it is said otherwise.
const PUBLIC_KEY_FILE: &str = "landfall_key.pub";

/// What an account's own things are called.
#[derive(Debug, Clone, Args)]
struct NameOptions {
    /// The pipeline [default: pipeline.toml in this folder, or else the sensor pipeline].
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,

    /// The role that owns tables, views, stage and pipe.
    #[arg(long, default_value = "LANDFALL_OWNER", value_name = "NAME", value_parser = identifier)]
    owner_role: String,

    /// The role that upsert uses: it reads and adds rows [default: Terraform's snowflake_role, or else LANDFALL_LOADER].
    #[arg(long, value_name = "NAME", value_parser = identifier)]
    loader_role: Option<String>,

    /// The user that upsert logs in as [default: Terraform's snowflake_user, or else LANDFALL_LOADER].
    #[arg(long, value_name = "NAME", value_parser = identifier)]
    user: Option<String>,

    /// The warehouse that runs upsert's statements [default: Terraform's snowflake_warehouse, or else LANDFALL_WH].
    #[arg(long, value_name = "NAME", value_parser = identifier)]
    warehouse: Option<String>,

    /// The storage integration that reads the landing bucket; each bucket has one of its own.
    #[arg(long, default_value = "LANDFALL_INTEGRATION", value_name = "NAME", value_parser = identifier)]
    integration: String,
}

impl NameOptions {
    /// What is to be made: what the options say, or else what Terraform deployed the functions with. Not what the
    /// environment says: a SNOWFLAKE_USER there may well be the person at the terminal.
    fn settings(&self, outputs: &Outputs) -> anyhow::Result<Settings> {
        Ok(Settings {
            owner_role: self.owner_role.clone(),
            loader_role: name(self.loader_role.as_deref(), outputs, "snowflake_role", LOADER_ROLE)?,
            user: name(self.user.as_deref(), outputs, "snowflake_user", USER)?,
            warehouse: name(self.warehouse.as_deref(), outputs, "snowflake_warehouse", WAREHOUSE)?,
            integration: self.integration.clone(),
            ..Settings::default()
        })
    }
}

/// The usual names.
const LOADER_ROLE: &str = "LANDFALL_LOADER";
const USER: &str = "LANDFALL_LOADER";
const WAREHOUSE: &str = "LANDFALL_WH";

/// The one of these that comes first.
fn name(given: Option<&str>, outputs: &Outputs, output: &str, usual: &str) -> anyhow::Result<String> {
    let name = given.or(outputs.get(output)).unwrap_or(usual);
    identifier(name).map_err(|remedy| {
        let what = format!("failed to use {name}, which is Terraform's {output}");
        Failure { what, remedy: format!("{remedy}; then terraform apply") }.into()
    })
}

/// One that is the same with and without quotes, as those of pipeline.toml are.
fn identifier(text: &str) -> Result<String, String> {
    let begins = text.bytes().next().is_some_and(|b| b.is_ascii_uppercase() || b == b'_');
    let goes_on = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_$".contains(&b));
    if begins && goes_on && text.len() <= 255 {
        return Ok(text.to_owned());
    }
    Err("use A-Z, 0-9, _ and $, not a digit first".to_owned())
}

/// The public key in a file.
fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure {
        what: format!("failed to read {}: {error}", path.display()),
        remedy: "give --public-key the file that landfall snowflake keygen wrote".to_owned(),
    })?;
    PublicKey::parse(&text).map_err(|error| {
        let what = format!("failed to use {}: {error}", path.display());
        Failure { what, remedy: "give the public key, as landfall snowflake keygen writes it".to_owned() }.into()
    })
}

/// What to do where nobody can be asked whether a plan is to be carried out.
const GIVE_YES: &str = "give --yes, once the plan above is what you want";

/// Whether the person at the terminal says yes. Where there is none, only `--yes` is one; `otherwise` is what to do there.
fn confirmed(question: &str, yes: bool, otherwise: &str) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        let what = "failed to ask: there is no terminal to answer on".to_owned();
        return Err(Failure { what, remedy: otherwise.to_owned() }.into());
    }
    console::print_note(&format!("{question} [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_options_or_terraforms_or_the_usual_one() {
        let outputs = Outputs::parse(r#"{"snowflake_user": {"value": "FROM_TERRAFORM"}, "bad": {"value": "a b"}}"#);
        let outputs = outputs.unwrap();
        let user = |given, output| name(given, &outputs, output, "USUAL").map_err(|error| error.to_string());

        assert_eq!(user(Some("GIVEN"), "snowflake_user").unwrap(), "GIVEN");
        assert_eq!(user(None, "snowflake_user").unwrap(), "FROM_TERRAFORM");
        assert_eq!(user(None, "snowflake_role").unwrap(), "USUAL");
        assert_eq!(user(None, "bad").unwrap_err(), "failed to use a b, which is Terraform's bad");
    }

    #[test]
    fn a_name_is_the_same_with_and_without_quotes() {
        assert_eq!(identifier("LANDFALL_WH$1"), Ok("LANDFALL_WH$1".to_owned()));
        for text in ["", "landfall", "1A", "A B", "A\"", "A;--", "Ä", &"A".repeat(256)] {
            assert!(identifier(text).is_err(), "{text}");
        }
    }
}
