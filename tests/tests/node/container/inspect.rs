//! What the Engine shows of a delegate's container.

use anyhow::Result;
use muster_tests::fleet::observer::KEY_LABEL;
use muster_tests::image::LABEL;
use muster_tests::node::behaviour::Behaviour;
use serde_json::{Map, Value, json};

use super::lab::within;
use crate::recorded::json;

/// What must be the same, without the names of one machine.
const SAME: [&str; 28] = [
    "/Path",
    "/Args",
    "/RestartCount",
    "/State/Status",
    "/State/Running",
    "/State/Paused",
    "/State/Restarting",
    "/State/OOMKilled",
    "/State/Dead",
    "/State/ExitCode",
    "/State/Error",
    "/State/FinishedAt",
    "/HostConfig/Binds",
    "/HostConfig/RestartPolicy",
    "/HostConfig/AutoRemove",
    "/HostConfig/Privileged",
    "/HostConfig/ReadonlyRootfs",
    "/HostConfig/PidMode",
    "/HostConfig/IpcMode",
    "/HostConfig/NetworkMode",
    "/Config/User",
    "/Config/Tty",
    "/Config/OpenStdin",
    "/Config/Cmd",
    "/Config/Entrypoint",
    "/Config/WorkingDir",
    "/Mounts",
    "/NetworkSettings/Networks",
];

/// The same text wherever the home lies, and whatever network and address it has.
fn neutral(inspect: &Value, home: &str) -> Value {
    let network = inspect["HostConfig"]["NetworkMode"].as_str().unwrap();
    let place = &inspect["NetworkSettings"]["Networks"][network]["IPAMConfig"]["IPv4Address"];
    let address = format!("\"{}\"", place.as_str().unwrap());
    let text = inspect.to_string().replace(home, "/home").replace(&address, "\"address\"");
    let text = text.replace(&format!("\"{network}\""), "\"network\"");
    serde_json::from_str(&text).unwrap()
}

/// Mounts in order of their destinations, and of a network only what the delegate chose.
fn part(inspect: &Value, pointer: &str) -> Value {
    let mut part = inspect.pointer(pointer).cloned().unwrap_or_default();
    match (pointer, &mut part) {
        ("/Mounts", Value::Array(mounts)) => {
            mounts.sort_by_key(|mount| mount["Destination"].to_string());
        }
        ("/NetworkSettings/Networks", Value::Object(networks)) => {
            for network in networks.values_mut() {
                *network = json!({ "IPAMConfig": network["IPAMConfig"] });
            }
        }
        _ => {}
    }
    part
}

fn names(object: &Value) -> Vec<&String> {
    object.as_object().map(Map::keys).into_iter().flatten().collect()
}

#[tokio::test]
async fn the_engine_shows_a_stand_in_s_container_like_a_real_node_s() -> Result<()> {
    let recorded = neutral(&json("docker-inspect-node.json")[0], "/home/delegate/iotex-var-boot");
    let behaviour = Behaviour::version("v2.4.4").scaled(10.0).starting_in(50);
    within("inspect", behaviour, async |lab| {
        let home = lab.home("iotex-var")?;
        let id = lab.start("node", &home, 10).await?;
        let seen = serde_json::to_value(lab.inspect(&id).await?)?;
        let seen = neutral(&seen, &home.root().display().to_string());
        for pointer in SAME {
            assert_ne!(part(&recorded, pointer), Value::Null, "{pointer} is in the recording");
            assert_eq!(part(&seen, pointer), part(&recorded, pointer), "{pointer}");
        }
        let repository =
            |image: &Value| image.as_str().unwrap().split(':').next().unwrap().to_owned();
        let (ours, theirs) = (&seen["Config"], &recorded["Config"]);
        assert_eq!(repository(&ours["Image"]), repository(&theirs["Image"]));

        // What differs: nothing is published, since tests reach addresses; no certificates in the image; labels.
        assert_eq!(names(&theirs["ExposedPorts"]), ["14014/tcp", "8080/tcp"]);
        assert_eq!(names(&ours["ExposedPorts"]), ["14014/tcp", "4689/tcp", "8080/tcp"]);
        let environment = theirs["Env"].as_array().unwrap();
        assert_eq!(ours["Env"].as_array().unwrap()[..], environment[..2]);
        assert_eq!(names(&ours["Labels"]), [LABEL, KEY_LABEL]);
        Ok(())
    })
    .await
}
