//! Single steps without the rule, and what people do to containers meanwhile.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result, bail};
use bollard::models::{ContainerCreateBody, EndpointSettings, NetworkingConfig};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use muster_agent::steps::{PlanContext, Runner, StepError};
use muster_proto::rule::{Permit, Step};

use super::Host;

/// The first step of every plan.
pub(crate) const ACKNOWLEDGE: Step = Step::Acknowledge { in_hand: None };

/// The step that takes the node away.
pub(crate) fn begin() -> Step {
    Step::Begin(Permit { sum: Some(1), heads: BTreeMap::new() })
}

/// Looks at the node and carries out these steps, all of which succeed.
pub(crate) async fn steps(runner: &Runner, context: &PlanContext, steps: &[Step]) -> Result<()> {
    runner.look(true).await;
    for step in steps {
        runner.run(step, context).await.with_context(|| format!("{step:?}"))?;
    }
    Ok(())
}

/// Why a step is refused.
pub(crate) async fn refusal(
    runner: &Runner,
    context: &PlanContext,
    step: &Step,
) -> Result<StepError> {
    match runner.run(step, context).await {
        Err(error) => Ok(error),
        Ok(ran) => bail!("{step:?} was not refused: {ran:?}"),
    }
}

/// Removes a container, whatever it does.
pub(crate) async fn remove(host: &Host, id: &str) -> Result<()> {
    let force = RemoveContainerOptionsBuilder::new().force(true).build();
    Ok(host.docker.remove_container(id, Some(force)).await?)
}

/// Removes the node and starts a like one in its place, but for `change`; returns its id.
pub(crate) async fn replace(
    host: &Host,
    change: impl FnOnce(&mut ContainerCreateBody),
) -> Result<String> {
    let old = host.docker.inspect_container(&host.run, None).await?;
    remove(host, &host.run).await?;
    let config = old.config.context("its configuration")?;
    let networks = old.network_settings.and_then(|settings| settings.networks);
    let joined = |end: EndpointSettings| EndpointSettings {
        ipam_config: end.ipam_config,
        ..EndpointSettings::default()
    };
    let ends: HashMap<_, _> =
        networks.into_iter().flatten().map(|(name, end)| (name, joined(end))).collect();
    let mut body = ContainerCreateBody {
        image: config.image,
        labels: config.labels,
        host_config: old.host_config,
        networking_config: Some(NetworkingConfig { endpoints_config: Some(ends) }),
        ..ContainerCreateBody::default()
    };
    change(&mut body);
    let options = CreateContainerOptionsBuilder::new().name(&host.run).build();
    let made = host.docker.create_container(Some(options), body).await?;
    host.docker.start_container(&made.id, None).await?;
    Ok(made.id)
}
