//! The program. Everything is in the library; this hands it the world and returns its exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    aside::cli::main()
}
