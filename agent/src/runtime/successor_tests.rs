use super::*;

fn recorded() -> Value {
    let text = include_str!("../../testdata/docker-inspect-node.json");
    let json = text.split_once('\n').expect("a first line").1;
    serde_json::from_str::<Value>(json).expect("JSON")[0].clone()
}

/// The real image's defaults, as far as the recorded container shows them.
fn image() -> Value {
    json!({
        "Env": [
            "PATH=/usr/local/bin:/bin",
            "LD_LIBRARY_PATH=/lib",
            "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
        ],
        "Entrypoint": ["/usr/local/bin/entrypoint.sh"],
        "Cmd": null,
        "ExposedPorts": null,
        "Labels": null,
        "WorkingDir": "",
        "User": "",
    })
}

fn of(old: &Value) -> CreateSpec {
    successor(old, &image(), "sha256:new", "sha256:plan")
}

#[test]
fn the_recorded_node_keeps_everything_but_image_and_policy() {
    let old = recorded();
    let spec = of(&old);
    let body = &spec.body;
    assert_eq!(body["Image"], "sha256:new");
    assert_eq!(body["HostConfig"]["RestartPolicy"]["Name"], "no");
    assert_eq!(body["Cmd"], old["Config"]["Cmd"], "the delegate's own command line");
    assert!(body.get("Entrypoint").is_none(), "the image's");
    assert_eq!(body["Env"], json!([]), "all of it the image's");
    assert_eq!(body["ExposedPorts"], old["Config"]["ExposedPorts"]);
    assert!(body.get("Hostname").is_none(), "the Engine's choice");
    assert_eq!(spec.more_networks, vec![]);
    let end = &body["NetworkingConfig"]["EndpointsConfig"]["ix-net"];
    assert_eq!(end, &json!({"IPAMConfig": {"IPv4Address": "10.77.0.14"}}));

    let mut host = old["HostConfig"].clone();
    host["RestartPolicy"] = body["HostConfig"]["RestartPolicy"].clone();
    host.as_object_mut().expect("an object").remove("ContainerIDFile");
    assert_eq!(body["HostConfig"], host, "every other setting, known here or not");
}

#[test]
fn labels_of_the_owner_stay_and_of_an_agent_are_new() {
    let mut old = recorded();
    old["Config"]["Labels"] = json!({
        "com.docker.compose.project": "iotex",
        "maintainer": "image",
        "muster.plan": "sha256:older",
        "muster.predecessor": "older",
    });
    let mut image = image();
    image["Labels"] = json!({"maintainer": "image"});
    let spec = successor(&old, &image, "new", "sha256:plan");
    let expected = json!({
        "com.docker.compose.project": "iotex",
        "muster.plan": "sha256:plan",
        "muster.predecessor": old["Id"],
    });
    assert_eq!(spec.body["Labels"], expected);
}

#[test]
fn variables_of_the_owner_win_over_the_image() {
    let mut old = recorded();
    old["Config"]["Env"] = json!(["PATH=/opt", "LD_LIBRARY_PATH=/lib", "IOTEX_HOME=/x"]);
    assert_eq!(of(&old).body["Env"], json!(["PATH=/opt", "IOTEX_HOME=/x"]));
}

#[test]
fn a_command_is_the_owners_unless_it_equals_the_images() {
    let mut old = recorded();
    let with = |old: &Value, image: &Value| {
        let body = successor(old, image, "new", "plan").body;
        (body.get("Entrypoint").cloned(), body.get("Cmd").cloned())
    };
    let mut image = image();
    image["Cmd"] = old["Config"]["Cmd"].clone();
    assert_eq!(with(&old, &image), (None, None), "both the image's");

    old["Config"]["Entrypoint"] = json!(["/bin/own"]);
    let (entrypoint, command) = with(&old, &image);
    assert_eq!(entrypoint, Some(json!(["/bin/own"])));
    assert_eq!(command, Some(image["Cmd"].clone()), "beside an own entrypoint nothing is implied");

    old["Config"]["Entrypoint"] = image["Entrypoint"].clone();
    old["Config"]["Cmd"] = Value::Null;
    let (entrypoint, command) = with(&old, &image);
    assert_eq!(entrypoint, Some(image["Entrypoint"].clone()), "hides the image's command");
    assert_eq!(command, Some(Value::Null));
}

#[test]
fn a_chosen_hostname_stays() {
    let mut old = recorded();
    old["Config"]["Hostname"] = json!("delegate-1");
    assert_eq!(of(&old).body["Hostname"], "delegate-1");
    old["HostConfig"]["NetworkMode"] = json!("container:abc");
    assert!(of(&old).body.get("Hostname").is_none(), "the Engine refuses one there");
}

#[test]
fn the_network_of_the_mode_comes_first_and_chosen_aliases_stay() {
    let mut old = recorded();
    let networks = json!({
        "a-net": {"Aliases": ["a18a81a2e8be", "delegate"], "NetworkID": "1", "IPAMConfig": null},
        "ix-net": old["NetworkSettings"]["Networks"]["ix-net"],
        "z-net": {"Aliases": ["a18a81a2e8be"], "NetworkID": "2", "IPAMConfig": {}},
    });
    old["NetworkSettings"]["Networks"] = networks;
    let spec = of(&old);
    let first = spec.body["NetworkingConfig"]["EndpointsConfig"].as_object().expect("an object");
    assert_eq!(first.keys().collect::<Vec<_>>(), ["ix-net"]);
    let expected = vec![
        ("a-net".to_owned(), json!({"Aliases": ["delegate"]})),
        ("z-net".to_owned(), json!({})),
    ];
    assert_eq!(spec.more_networks, expected);
}

#[test]
fn on_the_hosts_network_no_endpoint_is_asked_for() {
    let mut old = recorded();
    old["HostConfig"]["NetworkMode"] = json!("host");
    old["NetworkSettings"]["Networks"] = json!({"host": {"NetworkID": "1"}});
    let spec = of(&old);
    assert!(spec.body.get("NetworkingConfig").is_none());
    assert!(spec.more_networks.is_empty());
}

#[test]
fn volumes_that_the_engine_named_are_named_for_the_successor() {
    let mut old = recorded();
    let volume = |name: &str, at: &str, rw: bool| json!({"Type": "volume", "Name": name, "Destination": at, "RW": rw});
    old["HostConfig"]["Binds"] = json!(["/host/data:/var/data:rw"]);
    old["HostConfig"]["Mounts"] = json!([{"Type": "volume", "Target": "/cache"}]);
    old["Mounts"] = json!([
        volume("anonymous", "/tmp/x", true),
        volume("read-only", "/tmp/y", false),
        volume("cached", "/cache", true),
        {"Type": "bind", "Source": "/host/data", "Destination": "/var/data"},
    ]);
    let host = &of(&old).body["HostConfig"];
    let binds = json!(["/host/data:/var/data:rw", "anonymous:/tmp/x:rw", "read-only:/tmp/y:ro"]);
    assert_eq!(host["Binds"], binds);
    let mounts = json!([{"Type": "volume", "Target": "/cache", "Source": "cached"}]);
    assert_eq!(host["Mounts"], mounts);
}

#[test]
fn links_are_written_as_create_wants_them() {
    let mut old = recorded();
    old["HostConfig"]["Links"] = json!(["/db:/ix-boot/database"]);
    assert_eq!(of(&old).body["HostConfig"]["Links"], json!(["db:database"]));
}
