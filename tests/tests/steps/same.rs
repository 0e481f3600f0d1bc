//! A successor equals its predecessor, as the Engine itself describes both.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig,
    NetworkConnectRequest, NetworkingConfig, PortBinding, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use muster_agent::runtime::{Engine, successor};
use muster_tests::fleet::observer::KEY_LABEL;
use muster_tests::image::LABEL;
use muster_tests::node::host::Network;
use serde_json::Value;

use crate::kit::{self, Host, on_host};

/// A container with every setting that a delegate may have chosen.
fn elaborate(host: &Host, image: &str) -> ContainerCreateBody {
    let text = |text: &str| Some(text.to_owned());
    let list = |all: &[&str]| Some(all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
    let labels = [
        (LABEL, host.run.as_str()),
        (KEY_LABEL, host.home.operator()),
        ("com.docker.compose.project", "iotex"),
        ("com.docker.compose.service", "node"),
    ];
    let endpoint = EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(host.network.address(77).to_string()),
            ..Default::default()
        }),
        aliases: list(&["delegate", "iotex"]),
        ..Default::default()
    };
    let port = PortBinding { host_ip: text("127.0.0.1"), host_port: text("38080") };
    let limit = |hard| ResourcesUlimits { name: text("nofile"), soft: Some(1_024), hard };
    let policy = RestartPolicy {
        name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
        maximum_retry_count: None,
    };
    let config = [("max-size", "1m"), ("max-file", "2")];
    ContainerCreateBody {
        image: text(image),
        hostname: text("delegate-7"),
        domainname: text("example"),
        user: text("1000:1000"),
        env: list(&["IOTEX_HOME=/x", "PATH=/opt"]),
        labels: Some(labels.map(|(key, value)| (key.into(), value.into())).into()),
        stop_signal: text("SIGTERM"),
        stop_timeout: Some(30),
        exposed_ports: list(&["9999/tcp"]),
        volumes: list(&["/anonymous"]),
        cmd: list(&[
            "iotex-server",
            "-config-path=/etc/iotex/config_override.yaml",
            "-genesis-path=/etc/iotex/genesis.yaml",
            "-plugin=gateway",
        ]),
        host_config: Some(HostConfig {
            binds: Some(host.home.binds()),
            network_mode: Some(host.network.name.clone()),
            restart_policy: Some(policy),
            port_bindings: Some(HashMap::from([("8080/tcp".into(), Some(vec![port]))])),
            memory: Some(512 * 1024 * 1024),
            nano_cpus: Some(1_500_000_000),
            pids_limit: Some(500),
            cap_drop: list(&["NET_RAW"]),
            dns: list(&["1.1.1.1"]),
            extra_hosts: list(&["boot:10.0.0.1"]),
            ulimits: Some(vec![limit(Some(4_096))]),
            log_config: Some(HostConfigLogConfig {
                typ: text("json-file"),
                config: Some(config.map(|(key, value)| (key.into(), value.into())).into()),
            }),
            shm_size: Some(32 * 1024 * 1024),
            init: Some(true),
            ..Default::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(host.network.name.clone(), endpoint)])),
        }),
        ..Default::default()
    }
}

/// Removes what must differ, and says what it was.
fn take(value: &mut Value, pointer: &str) -> Value {
    value.pointer_mut(pointer).map(Value::take).unwrap_or_default()
}

/// Ids and addresses that the Engine hands out per container.
fn neutral(inspect: &Value) -> Value {
    let mut value = inspect.clone();
    let id = take(&mut value, "/Id").as_str().unwrap_or_default().to_owned();
    for engine in ["Name", "Created", "Image", "State", "LogPath", "GraphDriver", "RestartCount"] {
        take(&mut value, &format!("/{engine}"));
    }
    for path in ["ResolvConfPath", "HostnamePath", "HostsPath"] {
        take(&mut value, &format!("/{path}"));
    }
    for setting in ["/Config/Image", "/HostConfig/RestartPolicy"] {
        take(&mut value, setting);
    }
    if let Some(labels) = value.pointer_mut("/Config/Labels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| !key.starts_with("muster.p"));
    }
    let networks = value.pointer_mut("/NetworkSettings/Networks").and_then(Value::as_object_mut);
    for (_, end) in networks.into_iter().flatten() {
        if let Some(aliases) = end.get_mut("Aliases").and_then(Value::as_array_mut) {
            aliases.retain(|alias| !alias.as_str().is_some_and(|alias| id.starts_with(alias)));
        }
        take(end, "/EndpointID");
        take(end, "/MacAddress");
    }
    value
}

#[tokio::test]
async fn a_successor_differs_in_nothing_but_image_and_policy() -> Result<()> {
    on_host("same", async |host| {
        let old = host.load(&kit::old_version()).await?;
        let new = host.load(&kit::new_version()).await?;
        let second =
            Network::create(&host.docker, &format!("{}-more", host.run), &host.run).await?;
        let name = format!("{}-elaborate", host.run);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let made = host.docker.create_container(Some(options), elaborate(host, &old.tag)).await?;
        let join = NetworkConnectRequest {
            container: made.id.clone(),
            endpoint_config: Some(EndpointSettings {
                aliases: Some(vec!["second".into()]),
                ..Default::default()
            }),
        };
        host.docker.connect_network(&second.name, join).await?;

        let engine = Engine::new(kit::SOCKET, kit::PATIENCE);
        let predecessor = engine.inspect(&made.id).await?.context("the old one")?;
        let image = engine.image(&old.id).await?.context("its image")?;
        let spec = successor(&predecessor.raw, &image.config, &new.id, "sha256:plan");
        let id = engine.create(&format!("{name}-next"), &spec).await?;
        for (network, end) in &spec.more_networks {
            engine.join(&id, network, end).await?;
        }
        let next = engine.inspect(&id).await?.context("the new one")?;
        ensure!(next.image.as_str() == new.id && next.policy.is_no());
        ensure!(next.labels["muster.predecessor"] == made.id);
        let (one, other) = (neutral(&predecessor.raw), neutral(&next.raw));
        // The owner's anonymous volume has its name now, among the binds.
        let anonymous = predecessor.raw["Mounts"].as_array().context("mounts")?.iter();
        let anonymous = anonymous.filter(|mount| mount["Type"] == "volume").count();
        ensure!(anonymous == 1, "{anonymous} anonymous volumes");
        differ(one, other)
    })
    .await
}

/// Compares field by field, so that a difference has a name.
fn differ(mut one: Value, mut other: Value) -> Result<()> {
    let sorted = |value: &mut Value| {
        let mut mounts = take(value, "/Mounts").as_array().cloned().unwrap_or_default();
        mounts.iter_mut().for_each(|mount| {
            // `rw` is written out where the Engine had left it to its default.
            take(mount, "/Mode");
        });
        mounts.sort_by_key(|mount| mount["Destination"].to_string());
        mounts
    };
    ensure!(sorted(&mut one) == sorted(&mut other), "mounts");
    let (mut bound, mut next) =
        (take(&mut one, "/HostConfig/Binds"), take(&mut other, "/HostConfig/Binds"));
    let all = next.as_array_mut().context("binds")?;
    ensure!(all.pop().is_some_and(|bind| bind.to_string().contains(":/anonymous:")));
    ensure!(bound.take() == next.take(), "binds");
    for section in ["Config", "HostConfig", "NetworkSettings"] {
        let (one, other) = (&one[section], &other[section]);
        for (field, value) in one.as_object().context("a section")? {
            ensure!(other[field] == *value, "{section}.{field}: {value} → {}", other[field]);
        }
    }
    ensure!(one == other, "{one}\n{other}");
    Ok(())
}
