//! Images `FROM scratch`, made of our own binary and the shared libraries that `ldd` lists, loaded without a build.
//!
//! The archive is made byte for byte the same from the same input, so an image's id is known before it is loaded.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::query_parameters::{
    ImportImageOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
};
use futures::StreamExt as _;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::node::behaviour::{self, Behaviour};

/// Label of everything that a test run makes; its value is the run's id.
pub const LABEL: &str = "muster.test";

/// The repository that delegates pull from.
pub const REPOSITORY: &str = "iotex/iotex-core";

/// A loaded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…` of its configuration, as `docker images --no-trunc` shows it.
    pub id: String,
    /// `repository:version`.
    pub tag: String,
}

/// Why an image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file of the image cannot be read.
    #[error("cannot read {0}")]
    File(PathBuf, #[source] io::Error),
    /// `ldd` is missing or does not know the file.
    #[error("ldd does not list the libraries of {0}")]
    Libraries(PathBuf),
    /// The Engine refused.
    #[error("the Engine refused the image")]
    Engine(#[from] bollard::errors::Error),
    /// The Engine loaded something else.
    #[error("the Engine loaded {found}, not {expected}")]
    Other {
        /// What it has under the tag.
        found: String,
        /// What was sent.
        expected: String,
    },
}

/// A connection to the local Engine, in the version that it speaks.
///
/// # Errors
/// When there is none.
pub async fn engine() -> Result<Docker, bollard::errors::Error> {
    Docker::connect_with_local_defaults()?.negotiate_version().await
}

/// Builds and loads `iotex/iotex-core:<version>` from a stand-in binary and its behaviour, labelled for `run`.
///
/// # Errors
/// When a file is missing or the Engine refuses.
pub async fn build(
    docker: &Docker,
    binary: &Path,
    behaviour: &Behaviour,
    run: &str,
) -> Result<Image, ImageError> {
    let tag = format!("{REPOSITORY}:{}", behaviour.version);
    build_as(docker, binary, behaviour, run, &tag).await
}

/// The same under a tag of the caller's choice.
///
/// # Errors
/// When a file is missing or the Engine refuses.
pub async fn build_as(
    docker: &Docker,
    binary: &Path,
    behaviour: &Behaviour,
    run: &str,
    tag: &str,
) -> Result<Image, ImageError> {
    let layers = [program_layer(binary)?, behaviour_layer(behaviour)];
    let config = configuration(&layers, run).to_string();
    let id = format!("sha256:{}", digest(config.as_bytes()));
    let archive = archive(&layers, &config, tag);
    let options = ImportImageOptionsBuilder::new().quiet(true).build();
    let body = bollard::body_full(archive.into());
    let mut progress = std::pin::pin!(docker.import_image(options, body, None));
    while let Some(step) = progress.next().await {
        step?;
    }
    let found = docker.inspect_image(tag).await?.id.unwrap_or_default();
    if found != id {
        return Err(ImageError::Other { found, expected: id });
    }
    let tag = tag.to_owned();
    Ok(Image { id, tag })
}

/// Removes what a run left behind: containers, networks, images, in this order.
///
/// # Errors
/// When the Engine cannot list them; what is already gone is no error.
pub async fn clean_up(docker: &Docker, run: &str) -> Result<(), bollard::errors::Error> {
    let ours = HashMap::from([("label", vec![format!("{LABEL}={run}")])]);
    let all = ListContainersOptionsBuilder::new().all(true).filters(&ours);
    let containers = docker.list_containers(Some(all.build())).await?;
    let removed = containers.into_iter().map(async |container| {
        let force = RemoveContainerOptionsBuilder::new().force(true).v(true);
        let id = container.id.unwrap_or_default();
        let _ = docker.remove_container(&id, Some(force.build())).await;
    });
    futures::future::join_all(removed).await;
    let all = ListNetworksOptionsBuilder::new().filters(&ours);
    for network in docker.list_networks(Some(all.build())).await? {
        let _ = docker.remove_network(&network.id.unwrap_or_default()).await;
    }
    let all = ListImagesOptionsBuilder::new().filters(&ours);
    for image in docker.list_images(Some(all.build())).await? {
        let force = RemoveImageOptionsBuilder::new().force(true).build();
        let _ = docker.remove_image(&image.id, Some(force), None).await;
    }
    Ok(())
}

/// What goes into a layer, in this order.
enum Entry {
    Folder(&'static str),
    Link(&'static str, &'static str),
    File(String, Vec<u8>, u32),
}

/// The program under both its names, its libraries, and the folders that delegates mount over.
fn program_layer(binary: &Path) -> Result<Vec<u8>, ImageError> {
    let folders = ["usr", "usr/local", "usr/local/bin", "etc", "etc/iotex", "etc/standin"];
    let mut entries: Vec<Entry> = folders.map(Entry::Folder).into();
    entries.extend(["var", "var/data", "var/log", "tmp", "lib", "lib64"].map(Entry::Folder));
    let program = stripped(binary)?;
    entries.push(Entry::File("usr/local/bin/iotex-server".into(), program, 0o755));
    // The real image starts through a script of this name.
    entries.push(Entry::Link("usr/local/bin/entrypoint.sh", "iotex-server"));
    // What an exec in the container asks the admin port with.
    entries.push(Entry::Link("usr/local/bin/wget", "iotex-server"));
    for library in libraries(binary)? {
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        // The loader is named by its full path in the program; the rest is found by LD_LIBRARY_PATH.
        let folder = if library.starts_with("/lib64") { "lib64" } else { "lib" };
        entries.push(Entry::File(format!("{folder}/{name}"), read(&library)?, 0o755));
    }
    Ok(tar_of(&entries))
}

/// The program without what only a debugger reads: a tenth of its size, and every fleet loads it.
fn stripped(binary: &Path) -> Result<Vec<u8>, ImageError> {
    let unreadable = |error| ImageError::File(binary.to_owned(), error);
    let folder = tempfile::tempdir().map_err(unreadable)?;
    let lean = folder.path().join("program");
    let strip = std::process::Command::new("strip").arg("-o").arg(&lean).arg(binary).output();
    match strip {
        Ok(done) if done.status.success() => read(&lean),
        // The linker's tools are elsewhere: it is only slower.
        _ => read(binary),
    }
}

fn behaviour_layer(behaviour: &Behaviour) -> Vec<u8> {
    let path = behaviour::PATH.trim_start_matches('/').to_owned();
    let text = behaviour.to_yaml().into_bytes();
    tar_of(&[Entry::Folder("etc"), Entry::Folder("etc/standin"), Entry::File(path, text, 0o644)])
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    std::fs::read(path).map_err(|error| ImageError::File(path.to_owned(), error))
}

/// The absolute paths that `ldd` names.
fn libraries(binary: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let unknown = || ImageError::Libraries(binary.to_owned());
    let output = std::process::Command::new("ldd").arg(binary).output();
    let output = output.ok().filter(|o| o.status.success());
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    let text = text.ok_or_else(unknown)?;
    let words = text.lines().flat_map(|line| line.split_whitespace().find(|w| w.starts_with('/')));
    Ok(words.map(PathBuf::from).collect())
}

fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        // Writing to memory cannot fail, and all paths are short.
        let _ = match entry {
            Entry::Folder(path) => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(if *path == "tmp" { 0o1777 } else { 0o755 });
                header.set_size(0);
                tar.append_data(&mut header, path, io::empty())
            }
            Entry::Link(path, target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                tar.append_link(&mut header, path, target)
            }
            Entry::File(path, bytes, mode) => {
                header.set_mode(*mode);
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, path, bytes.as_slice())
            }
        };
    }
    tar.into_inner().unwrap_or_default()
}

/// The image's configuration: command line and environment as in the real image.
fn configuration(layers: &[Vec<u8>], run: &str) -> serde_json::Value {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let diffs: Vec<String> = layers.iter().map(|l| format!("sha256:{}", digest(l))).collect();
    let history: Vec<_> = layers.iter().map(|_| json!({"created_by": "stand-in"})).collect();
    json!({
        "architecture": architecture,
        "os": "linux",
        "created": "2026-11-22T00:00:00Z",
        "config": {
            "Env": ["PATH=/usr/local/bin:/bin", "LD_LIBRARY_PATH=/lib"],
            "Entrypoint": ["/usr/local/bin/entrypoint.sh"],
            "Cmd": [
                "iotex-server",
                "-config-path=/etc/iotex/config_override.yaml",
                "-genesis-path=/etc/iotex/genesis.yaml",
            ],
            "ExposedPorts": {"4689/tcp": {}, "8080/tcp": {}, "14014/tcp": {}},
            "Labels": {LABEL: run},
        },
        "rootfs": {"type": "layers", "diff_ids": diffs},
        "history": history,
    })
}

fn archive(layers: &[Vec<u8>], config: &str, tag: &str) -> Vec<u8> {
    let name = format!("{}.json", digest(config.as_bytes()));
    let paths: Vec<String> = layers.iter().map(|l| format!("{}.tar", digest(l))).collect();
    let manifest = json!([{"Config": name, "RepoTags": [tag], "Layers": paths}]);
    let mut entries = vec![
        Entry::File("manifest.json".into(), manifest.to_string().into_bytes(), 0o644),
        Entry::File(name, config.as_bytes().to_vec(), 0o644),
    ];
    let layers = paths.into_iter().zip(layers);
    entries.extend(layers.map(|(path, layer)| Entry::File(path, layer.clone(), 0o644)));
    tar_of(&entries)
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
