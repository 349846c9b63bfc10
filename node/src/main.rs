//! Entry point of `tim-node`.

fn main() -> std::process::ExitCode {
    tim_node::main()
}
