//! `landfall`: runs the pipeline on a laptop and looks at what it does.

mod args;
mod arrived;
mod at_hand;
mod aws;
mod check;
mod checks;
mod console;
mod demo;
mod deployed;
mod dev;
mod doctor;
mod failure;
mod function;
mod init;
mod interrupt;
mod letters;
mod objects;
mod pipeline_file;
mod positions;
mod proxy;
mod reconcile;
mod replay;
mod schema;
mod snowflake;
mod sql;
mod table;
mod window;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    let done = proxy::except_this_machine().map_err(anyhow::Error::from).and_then(|()| run(args));
    done.unwrap_or_else(|error| {
        console::print_failure(&error);
        ExitCode::FAILURE
    })
}

#[tokio::main]
async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Demo(options) => demo::run(options).await,
        Command::Dev(options) => dev::run(options).await,
        Command::Replay(options) => replay::run(options).await,
        Command::Reconcile(options) => reconcile::run(options).await,
        Command::Sql(options) => sql::run(options).await,
        Command::Init(options) => init::run(&options),
        Command::Check(options) => check::run(options).await,
        Command::Schema(options) => schema::run(&options),
        Command::Snowflake(options) => snowflake::run(options).await,
        Command::Doctor(options) => doctor::run(options).await,
        Command::Function { name } => function::run(name).await,
    }
}
