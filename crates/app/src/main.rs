//! Video calls straight from one machine to another.

use std::process::ExitCode;
use visavis_app::cli::{self, Stop};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Stop::Say(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(Stop::Refuse(line)) => {
            eprintln!("{line}");
            return ExitCode::from(2);
        }
    };
    match visavis_app::run::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("visavis: {e:#}");
            ExitCode::FAILURE
        }
    }
}
