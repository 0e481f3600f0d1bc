//! Which role speaks for a target: TUF's search through delegations, depth first.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Result, bail};
use muster_proto::trust::TargetFile;
use muster_proto::trust::Targets;

use super::{Client, ROLES, http, write};

impl Client {
    /// The first description of `target` in the order of delegations.
    pub(super) async fn find(&mut self, target: &str) -> Result<TargetFile> {
        let mut open = vec![("targets".to_owned(), "root".to_owned())];
        let mut visited = BTreeSet::new();
        while let Some((role, delegator)) = open.pop() {
            if visited.contains(&role) {
                continue;
            }
            if visited.len() == ROLES {
                break;
            }
            if role != "targets" && !self.load(&role, &delegator).await? {
                continue;
            }
            let Some(loaded) = self.tuf.role(&role) else { continue };
            if let Some(found) = loaded.target(target) {
                return Ok(found.clone());
            }
            let (children, terminating) = delegates(loaded, target)?;
            if terminating {
                open.clear();
            }
            // The first delegation is looked at first.
            open.extend(children.into_iter().rev().map(|child| (child, role.clone())));
            visited.insert(role);
        }
        bail!("no role lists {target}")
    }

    /// Loads a delegated role. False when the snapshot does not know it: then it is passed over.
    async fn load(&mut self, role: &str, delegator: &str) -> Result<bool> {
        if self.tuf.role(role).is_some() {
            self.tuf.delegated_also_by(role, delegator, self.now)?;
            return Ok(true);
        }
        let pinned = self.tuf.trusted_snapshot().map(|it| &it.meta);
        if !pinned.is_some_and(|pins| pins.contains_key(&format!("{role}.json"))) {
            return Ok(false);
        }
        let place = self.dir.join(format!("{}.json", http::encoded(role)));
        if let Ok(held) = fs::read(&place)
            && self.tuf.delegated(role, delegator, &held, self.now).is_ok()
        {
            return Ok(true);
        }
        let metadata = self.role_metadata(role).await?;
        self.tuf.delegated(role, delegator, &metadata, self.now)?;
        write(&place, &metadata)?;
        Ok(true)
    }
}

/// Roles that may speak for `target`, and whether the search ends with them.
fn delegates(role: &Targets, target: &str) -> Result<(Vec<String>, bool)> {
    let mut children = Vec::new();
    for child in role.delegations.iter().flat_map(|it| &it.roles) {
        if ["root", "timestamp", "snapshot", "targets"].contains(&child.name.as_str()) {
            continue;
        }
        if child.matches_path(target)? {
            children.push(child.name.clone());
            if child.terminating {
                return Ok((children, true));
            }
        }
    }
    Ok((children, false))
}
