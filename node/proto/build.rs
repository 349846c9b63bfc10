//! Compiles the `.proto` files without a protoc binary.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "proto/tim/peer/v1/common.proto",
        "proto/tim/peer/v1/link.proto",
        "proto/tim/peer/v1/home.proto",
        "proto/tim/peer/v1/presence.proto",
        "proto/tim/peer/v1/passwords.proto",
        "proto/tim/peer/v1/delivery.proto",
        "proto/tim/peer/v1/streams.proto",
        "proto/tim/peer/v1/raft.proto",
        "proto/tim/control/v1/node.proto",
    ];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, ["proto"])?;
    // `bytes::Bytes` everywhere: bodies pass through without a copy.
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
