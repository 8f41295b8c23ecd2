//! `landfall snowflake verify`: what the service user can do.

use std::process::ExitCode;

use clap::Args;
use landfall_snowflake::provision;

use super::NameOptions;
use super::outputs::{Outputs, OutputsOptions};
use crate::console::{self, Progress};
use crate::interrupt::{stopped, unless_stopped};
use crate::{checks, pipeline_file};

/// Logs in as the service user, with upsert's variables, and tries what upsert and Snowpipe need: rights, warehouse,
/// tables, a row through a scratch table, the stage and the pipe. It leaves nothing behind.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Exit code: 0 when all is well, 1 when anything is at fault.

Environment: upsert's own (SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, SNOWFLAKE_PRIVATE_KEY_SECRET or SNOWFLAKE_PRIVATE_KEY_FILE, …);
what it lacks comes from --terraform or --outputs.

Examples:
  landfall snowflake verify --terraform infra/terraform
  SNOWFLAKE_PRIVATE_KEY_FILE=landfall_key.p8 landfall snowflake verify")]
pub(super) struct VerifyOptions {
    #[command(flatten)]
    names: NameOptions,

    #[command(flatten)]
    outputs: OutputsOptions,
}

pub(super) async fn run(options: &VerifyOptions) -> anyhow::Result<ExitCode> {
    let pipeline = pipeline_file::load(options.names.pipeline.as_deref())?.pipeline;
    let outputs = options.outputs.read()?;
    let NameOptions { user, loader_role, warehouse, .. } = options.names.clone();
    let get = service_environment(&outputs, Named { user, role: loader_role, warehouse });
    let config = landfall_upsert::config::Config::read(&get)?;
    let mut settings = options.names.settings(&Outputs::default())?;
    // Without a name it is the user's default, as it is for the function.
    settings.loader_role = config.role.clone().unwrap_or_default();
    settings.warehouse = config.warehouse.clone().unwrap_or_default();
    settings.user.clone_from(&config.user);
    let session = landfall_upsert::session(config, &pipeline).await?;
    let progress = Progress::new();
    progress.step("asking the account");
    let Some(checks) = unless_stopped(provision::verify(&session, &settings, &pipeline)).await else {
        return Ok(stopped(&progress));
    };
    progress.clear();
    console::print(&checks::text(&checks))?;
    Ok(checks::exit_code(&checks))
}

/// What options say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    user: Option<String>,
    role: Option<String>,
    warehouse: Option<String>,
}

/// Upsert's variables: what options say, or else the environment, or else Terraform, or else the usual names.
pub(crate) fn service_environment(outputs: &Outputs, named: Named) -> impl Fn(&str) -> Option<String> {
    variables(outputs, named, |name| std::env::var(name).ok())
}

fn variables(
    outputs: &Outputs,
    named: Named,
    environment: impl Fn(&str) -> Option<String>,
) -> impl Fn(&str) -> Option<String> {
    let set = move |name: &str| environment(name).filter(|value| !value.is_empty());
    move |name: &str| {
        let (given, usual) = match name {
            "SNOWFLAKE_USER" => (&named.user, Some(super::USER)),
            "SNOWFLAKE_ROLE" => (&named.role, Some(super::LOADER_ROLE)),
            "SNOWFLAKE_WAREHOUSE" => (&named.warehouse, Some(super::WAREHOUSE)),
            _ => (&None, None),
        };
        if let Some(value) = given.clone().or_else(|| set(name)) {
            return Some(value);
        }
        let deployed = match name {
            // The key comes from one place.
            "SNOWFLAKE_PRIVATE_KEY_SECRET" if set("SNOWFLAKE_PRIVATE_KEY_FILE").is_some() => None,
            // It is that of Terraform's account.
            "SNOWFLAKE_URL" if is_another(set("SNOWFLAKE_ACCOUNT"), outputs.get("snowflake_account")) => None,
            _ => outputs.variable(name),
        };
        deployed.or(usual).map(str::to_owned)
    }
}

fn is_another(account: Option<String>, deployed: Option<&str>) -> bool {
    account.is_some_and(|account| deployed.is_some_and(|deployed| !deployed.eq_ignore_ascii_case(&account)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPLOYED: &str = r#"{
        "snowflake_account": {"value": "acme-prod"}, "snowflake_url": {"value": "https://acme.example"},
        "snowflake_user": {"value": "T_USER"}, "snowflake_role": {"value": ""}, "snowflake_warehouse": {"value": "T_WH"},
        "snowflake_secret_arn": {"value": "arn"}
    }"#;

    /// User, role, warehouse and URL.
    #[track_caller]
    fn check(outputs: &str, named: Named, environment: &[(&str, &str)], expected: [&str; 4]) {
        let outputs = Outputs::parse(outputs).unwrap();
        let get = variables(&outputs, named, |name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        let found = ["SNOWFLAKE_USER", "SNOWFLAKE_ROLE", "SNOWFLAKE_WAREHOUSE", "SNOWFLAKE_URL"]
            .map(|name| get(name).unwrap_or_default());
        assert_eq!(found, expected);
    }

    #[test]
    fn an_option_comes_before_the_environment_and_that_before_terraform() {
        let environment = [("SNOWFLAKE_USER", "E_USER"), ("SNOWFLAKE_ROLE", "E_ROLE"), ("SNOWFLAKE_WAREHOUSE", "E_WH")];
        let named = |name: &str| Some(name.to_owned());
        let all = Named { user: named("O_USER"), role: named("O_ROLE"), warehouse: named("O_WH") };
        let url = "https://acme.example";

        check(DEPLOYED, all.clone(), &environment, ["O_USER", "O_ROLE", "O_WH", url]);
        check(
            DEPLOYED,
            Named { role: named("O_ROLE"), ..Named::default() },
            &environment,
            ["E_USER", "O_ROLE", "E_WH", url],
        );
        check(DEPLOYED, Named::default(), &environment, ["E_USER", "E_ROLE", "E_WH", url]);
        // An empty output is the user's default, as it is for the function.
        check(DEPLOYED, Named::default(), &[], ["T_USER", "", "T_WH", url]);
        check("{}", Named::default(), &[], ["LANDFALL_LOADER", "LANDFALL_LOADER", "LANDFALL_WH", ""]);
    }

    #[test]
    fn terraforms_url_is_not_used_for_another_account() {
        let here = [("SNOWFLAKE_ACCOUNT", "acme-test")];
        check(DEPLOYED, Named::default(), &here, ["T_USER", "", "T_WH", ""]);
        let same = [("SNOWFLAKE_ACCOUNT", "ACME-PROD")];
        check(DEPLOYED, Named::default(), &same, ["T_USER", "", "T_WH", "https://acme.example"]);
    }
}
