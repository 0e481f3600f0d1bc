//! The successor of a container: the same in everything but image and restart policy. Pure.
//!
//! What inspect says of a container mixes what its owner asked for with what its image brought.
//! Only the owner's part is repeated; the image's part comes anew from the new image. What
//! equals the old image's default is taken as the image's.

use serde_json::{Map, Value, json};

/// What to ask the Engine for.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateSpec {
    /// Body of the create call.
    pub body: Value,
    /// Networks beyond the first, each with its endpoint settings; joined one by one, because
    /// Engines before API 1.44 take one network at create only.
    pub more_networks: Vec<(String, Value)>,
}

/// Labels that an agent adds; a predecessor's are not inherited.
pub const LABEL_PLAN: &str = "muster.plan";
/// Id of the container that this one came after.
pub const LABEL_PREDECESSOR: &str = "muster.predecessor";

/// The successor of `old` (its inspect), whose image's `Config` is `old_image`, on the image
/// `new_image` (a reference or id), for the plan with digest `plan`.
pub fn successor(old: &Value, old_image: &Value, new_image: &str, plan: &str) -> CreateSpec {
    let id = text(old, "/Id");
    let mut config = owners_config(old, old_image);
    let mut labels = config.remove("Labels").and_then(object).unwrap_or_default();
    labels.insert(LABEL_PLAN.into(), plan.into());
    labels.insert(LABEL_PREDECESSOR.into(), id.into());
    config.insert("Labels".into(), labels.into());
    config.insert("Image".into(), new_image.into());

    let mut host = old.get("HostConfig").cloned().and_then(object).unwrap_or_default();
    host.insert("RestartPolicy".into(), json!({"Name": "no", "MaximumRetryCount": 0}));
    host.remove("ContainerIDFile");
    plain_links(&mut host);
    keep_volumes(&mut host, old);
    config.insert("HostConfig".into(), host.into());

    let mut networks = endpoints(old, id);
    if !networks.is_empty() {
        let (name, end) = networks.remove(0);
        config.insert("NetworkingConfig".into(), json!({"EndpointsConfig": {name: end}}));
    }
    CreateSpec { body: config.into(), more_networks: networks }
}

/// `Config` without what the image brought.
fn owners_config(old: &Value, image: &Value) -> Map<String, Value> {
    let mut config = old.get("Config").cloned().and_then(object).unwrap_or_default();
    let default = |field: &str| image.get(field).unwrap_or(&Value::Null);
    for field in ["User", "WorkingDir", "StopSignal", "Healthcheck", "Shell", "OnBuild"] {
        if config.get(field).is_some_and(|value| same(value, default(field))) {
            config.remove(field);
        }
    }
    for field in ["ExposedPorts", "Volumes", "Labels"] {
        let brought = default(field);
        if let Some(Value::Object(own)) = config.get_mut(field) {
            own.retain(|key, value| brought.get(key) != Some(value));
        }
    }
    if let Some(Value::Array(own)) = config.get_mut("Env") {
        let brought = default("Env").as_array();
        own.retain(|entry| !brought.is_some_and(|all| all.contains(entry)));
    }
    if let Some(Value::Object(labels)) = config.get_mut("Labels") {
        labels.remove(LABEL_PLAN);
        labels.remove(LABEL_PREDECESSOR);
    }
    owners_command(&mut config, default("Entrypoint"), default("Cmd"));
    owners_hostname(&mut config, old);
    config
}

/// The Engine takes the image's command only when neither is given: an entrypoint of the
/// owner's hides the image's command.
fn owners_command(config: &mut Map<String, Value>, entrypoint: &Value, command: &Value) {
    let field = |name: &str| config.get(name).cloned().unwrap_or(Value::Null);
    let (own_entrypoint, own_command) = (field("Entrypoint"), field("Cmd"));
    let images_entrypoint = same(&own_entrypoint, entrypoint);
    let images_command = same(&own_command, command);
    let hidden = is_empty(&own_command) && !is_empty(command);
    if images_entrypoint && !hidden {
        config.remove("Entrypoint");
        if images_command {
            config.remove("Cmd");
        }
    }
}

/// The Engine names a container's host after its id unless the owner chose a name. On another
/// namespace's name the Engine refuses one.
fn owners_hostname(config: &mut Map<String, Value>, old: &Value) {
    let id = text(old, "/Id");
    let own = config.get("Hostname").and_then(Value::as_str).unwrap_or_default();
    let chosen_by_engine = !own.is_empty() && id.starts_with(own);
    let foreign = text(old, "/HostConfig/NetworkMode").starts_with("container:")
        || text(old, "/HostConfig/UTSMode") == "host";
    if chosen_by_engine || foreign {
        config.remove("Hostname");
    }
}

/// Inspect says `/other:/name/alias` where create wants `other:alias`.
fn plain_links(host: &mut Map<String, Value>) {
    let Some(Value::Array(links)) = host.get_mut("Links") else { return };
    for link in links {
        let Some((other, own)) = link.as_str().and_then(|link| link.split_once(':')) else {
            continue;
        };
        let alias = own.rsplit('/').next().unwrap_or(own);
        *link = format!("{}:{alias}", other.trim_start_matches('/')).into();
    }
}

/// Volumes without a name of the owner's have one of the Engine's; the successor gets the same.
fn keep_volumes(host: &mut Map<String, Value>, old: &Value) {
    let mounted = old.get("Mounts").and_then(Value::as_array).cloned().unwrap_or_default();
    let volumes = mounted.iter().filter(|mount| text(mount, "/Type") == "volume");
    let borrowed = host.get("VolumesFrom").is_some_and(|from| !is_empty(from));
    for volume in volumes {
        let (name, at) = (text(volume, "/Name"), text(volume, "/Destination"));
        if name_mount(host, name, at) || is_bound(host, at) || borrowed {
            continue;
        }
        let mode = if volume.get("RW") == Some(&Value::Bool(false)) { "ro" } else { "rw" };
        let binds = host.entry("Binds").or_insert(Value::Null);
        let bind = Value::from(format!("{name}:{at}:{mode}"));
        match binds {
            Value::Array(binds) => binds.push(bind),
            none => *none = vec![bind].into(),
        }
    }
}

/// Puts the volume's name into the owner's `--mount` entry for `at`, if there is one.
fn name_mount(host: &mut Map<String, Value>, name: &str, at: &str) -> bool {
    let Some(Value::Array(mounts)) = host.get_mut("Mounts") else { return false };
    let Some(mount) = mounts.iter_mut().find(|mount| text(mount, "/Target") == at) else {
        return false;
    };
    if let Some(mount) = mount.as_object_mut() {
        mount.insert("Source".into(), name.into());
    }
    true
}

fn is_bound(host: &Map<String, Value>, at: &str) -> bool {
    let binds = host.get("Binds").and_then(Value::as_array);
    binds.is_some_and(|binds| {
        let mut texts = binds.iter().filter_map(Value::as_str);
        texts.any(|bind| bind.split(':').nth(1) == Some(at))
    })
}

/// Endpoint settings of every network, the one of `NetworkMode` first.
fn endpoints(old: &Value, id: &str) -> Vec<(String, Value)> {
    let mode = text(old, "/HostConfig/NetworkMode");
    let networks = old.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    let mut all: Vec<(String, Value)> = networks
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "host" | "none"))
        .map(|(name, end)| (name.clone(), owners_endpoint(end, id)))
        .collect();
    let is_first = |name: &str, end: &Value| {
        name == mode || text(end, "/NetworkID") == mode || (mode == "default" && name == "bridge")
    };
    let first = networks.and_then(|all| all.iter().position(|(name, end)| is_first(name, end)));
    if let Some(first) = first.filter(|first| *first < all.len()) {
        all[..=first].rotate_right(1);
    }
    all
}

/// Addresses, aliases and links that the owner chose, without what the Engine handed out.
fn owners_endpoint(end: &Value, id: &str) -> Value {
    let mut own = Map::new();
    for field in ["IPAMConfig", "Links", "DriverOpts", "GwPriority"] {
        if let Some(value) = end.get(field).filter(|value| !is_empty(value)) {
            own.insert(field.into(), value.clone());
        }
    }
    let aliases = end.get("Aliases").and_then(Value::as_array).into_iter().flatten();
    let chosen: Vec<Value> = aliases
        .filter(|alias| {
            !alias.as_str().is_some_and(|alias| alias.len() == 12 && id.starts_with(alias))
        })
        .cloned()
        .collect();
    if !chosen.is_empty() {
        own.insert("Aliases".into(), chosen.into());
    }
    own.into()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(_) => false,
    }
}

/// Equal, or both say nothing.
fn same(one: &Value, other: &Value) -> bool {
    one == other || (is_empty(one) && is_empty(other))
}

#[cfg(test)]
#[path = "successor_tests.rs"]
mod tests;
