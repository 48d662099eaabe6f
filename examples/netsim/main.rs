//! Calls on emulated links, in one process: two whole peers with synthetic devices, real sockets on loopback, and
//! between them rate, queue, delay, jitter and losses as asked for.
//!
//! ```text
//! cargo run --release --example netsim -- --scenario all
//! cargo run --release --example netsim -- --rate 500k --queue 300 --delay 25 --loss 0.02 --at 15:rate=200k --json
//! ```
//! Prints a table, with `--json` one line for each scenario. Exit codes: 0 both directions of every call carried
//! picture and sound, 1 not all did, 2 bad options.

mod figures;
mod options;
mod run;
mod scenarios;
#[path = "../shared/mod.rs"]
mod shared;
mod signaling;
mod table;
mod watch;

use clap::Parser;
use options::Cli;
use serde_json::json;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return bad(error.to_string().lines().next().unwrap_or("bad options")),
    };
    let scenarios = match cli.scenarios().and_then(|scenarios| cli.camera().map(|_| scenarios)) {
        Ok(scenarios) => scenarios,
        Err(error) => return bad(&error),
    };
    shared::log_to_stderr();
    match calls(&cli, &scenarios) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bad(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}

/// Whether all of them carried what they should.
fn calls(cli: &Cli, scenarios: &[scenarios::Scenario]) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let server = shared::serve(&runtime)?;
    let mut all_well = true;
    if !cli.json {
        println!("{}", table::heading());
    }
    for scenario in scenarios {
        let result = match run::run(&runtime, server, cli, scenario) {
            Ok(result) => result,
            Err(error) => json!({"scenario": scenario.name, "error": format!("{error:#}")}),
        };
        all_well &= run::carried(&result["a_to_b"]) && run::carried(&result["b_to_a"]);
        match (cli.json, result.get("error")) {
            (true, _) => println!("{result}"),
            (false, Some(error)) => println!("{:10} {error}", scenario.name),
            (false, None) => println!("{}", table::rows(&result)),
        }
    }
    Ok(all_well)
}
