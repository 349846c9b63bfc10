//! The binary `tim`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tim_cli::main()
}
