//! Compiles `wire/*.proto` without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["wire/muster.proto", "wire/iotexapi.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let set = protox::compile(files, ["wire"])?;
    tonic_prost_build::configure().compile_fds(set)?;
    Ok(())
}
