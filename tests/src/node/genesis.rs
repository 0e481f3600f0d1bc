//! `genesis.yaml`: checked strictly, and hashed without its fork heights as the real node does.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::config::FileError;
use super::schema::{self, Kind, Section};

/// What the stand-in needs of it.
#[derive(Debug, Clone)]
pub struct Genesis {
    /// Blocks of an epoch: sub-epochs × delegates.
    pub epoch_blocks: u64,
    /// Unix time of the genesis block.
    pub timestamp: i64,
    /// Lower-case hex; fork heights are not in it.
    pub hash: String,
    /// The fork heights that it names, by their keys.
    pub forks: BTreeMap<String, u64>,
}

/// Reads and checks. `extra` are the keys of `blockchain` that this version knows beyond those of v2.3.
///
/// # Errors
/// In the real node's words; it exits 1.
pub fn read(path: Option<&Path>, extra: &[String]) -> Result<Genesis, FileError> {
    let unread = |error| FileError::Unread("error when constructing a genesis in yaml", error);
    let text = match path {
        Some(path) => FileError::text(path).map_err(unread)?,
        None => String::new(),
    };
    let wrong = |refusal| match refusal {
        schema::Refusal::Malformed(_) => {
            FileError::Refused("error when constructing a genesis in yaml", refusal)
        }
        schema::Refusal::Wrong(_) => {
            FileError::Refused("failed to unmarshal yaml genesis to struct", refusal)
        }
    };
    schema::check(&text, &ROOT, BLOCKCHAIN.name, extra).map_err(wrong)?;
    let seen: Seen = serde_yaml::from_str(&text).unwrap_or_default();
    let chain = seen.blockchain;
    Ok(Genesis {
        epoch_blocks: chain.num_sub_epochs.unwrap_or(15) * chain.num_delegates.unwrap_or(24),
        timestamp: chain.timestamp.unwrap_or(1_553_558_500),
        hash: hash(&text),
        forks: forks(&text),
    })
}

/// What ends the key of a fork height.
const FORK: &str = "Height";

fn forks(text: &str) -> BTreeMap<String, u64> {
    let tree: Value = serde_yaml::from_str(text).unwrap_or_default();
    let chain = tree.get("blockchain").and_then(Value::as_object);
    let heights = chain.into_iter().flatten().filter(|(key, _)| key.ends_with(FORK));
    heights.filter_map(|(key, height)| Some((key.clone(), height.as_u64()?))).collect()
}

/// Equal for files that differ in nothing but order, comments and fork heights.
fn hash(text: &str) -> String {
    let mut tree: Value = serde_yaml::from_str(text).unwrap_or_default();
    if let Some(Value::Object(chain)) = tree.get_mut("blockchain") {
        chain.retain(|key, _| !key.ends_with(FORK));
    }
    hex::encode(Sha256::digest(tree.to_string()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Seen {
    blockchain: Chain,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Chain {
    timestamp: Option<i64>,
    num_sub_epochs: Option<u64>,
    num_delegates: Option<u64>,
}

static ROOT: Section = Section {
    name: "genesis.Genesis",
    fields: &[
        ("blockchain", Kind::Section(&BLOCKCHAIN)),
        ("account", Kind::Section(&ACCOUNT)),
        ("poll", Kind::Section(&POLL)),
        ("rewarding", Kind::Section(&REWARDING)),
        ("staking", Kind::Section(&STAKING)),
    ],
};

static BLOCKCHAIN: Section = Section {
    name: "genesis.Blockchain",
    fields: &[
        ("timestamp", Kind::Int),
        ("blockGasLimit", Kind::Int),
        ("tsunamiBlockGasLimit", Kind::Int),
        ("wakeBlockGasLimit", Kind::Int),
        ("actionGasLimit", Kind::Int),
        ("blockInterval", Kind::Duration),
        ("numSubEpochs", Kind::Int),
        ("dardanellesNumSubEpochs", Kind::Int),
        ("wakeNumSubEpochs", Kind::Int),
        ("numDelegates", Kind::Int),
        ("numCandidateDelegates", Kind::Int),
        ("timeBasedRotation", Kind::Bool),
        ("minBlocksForBlobRetention", Kind::Int),
        ("pacificHeight", Kind::Int),
        ("aleutianHeight", Kind::Int),
        ("beringHeight", Kind::Int),
        ("cookHeight", Kind::Int),
        ("dardanellesHeight", Kind::Int),
        ("daytonaBlockHeight", Kind::Int),
        ("easterHeight", Kind::Int),
        ("fbkMigrationHeight", Kind::Int),
        ("fairbankHeight", Kind::Int),
        ("greenlandHeight", Kind::Int),
        ("hawaiiHeight", Kind::Int),
        ("icelandHeight", Kind::Int),
        ("jutlandHeight", Kind::Int),
        ("kamchatkaHeight", Kind::Int),
        ("lordHoweHeight", Kind::Int),
        ("midwayHeight", Kind::Int),
        ("newfoundlandHeight", Kind::Int),
        ("okhotskHeight", Kind::Int),
        ("palauHeight", Kind::Int),
        ("quebecHeight", Kind::Int),
        ("redseaHeight", Kind::Int),
        ("sumatraHeight", Kind::Int),
        ("tsunamiHeight", Kind::Int),
        ("upernavikHeight", Kind::Int),
        ("vanuatuHeight", Kind::Int),
        ("wakeHeight", Kind::Int),
        ("xinguHeight", Kind::Int),
        ("xinguBetaHeight", Kind::Int),
        ("toBeEnabledHeight", Kind::Int),
    ],
};

static ACCOUNT: Section = Section {
    name: "genesis.Account",
    fields: &[("initBalances", Kind::Any), ("replayDeployerWhitelist", Kind::Texts)],
};

static POLL: Section = Section {
    name: "genesis.Poll",
    fields: &[
        ("pollMode", Kind::Text),
        ("enableGravityChainVoting", Kind::Bool),
        ("gravityChainStartHeight", Kind::Int),
        ("gravityChainCeilingHeight", Kind::Int),
        ("gravityChainHeightInterval", Kind::Int),
        ("registerContractAddress", Kind::Text),
        ("stakingContractAddress", Kind::Text),
        ("nativeStakingContractAddress", Kind::Text),
        ("nativeStakingContractCode", Kind::Text),
        ("consortiumCommitteeContractCode", Kind::Text),
        ("voteThreshold", Kind::Text),
        ("scoreThreshold", Kind::Text),
        ("selfStakingThreshold", Kind::Text),
        ("delegates", Kind::Any),
        ("probationEpochPeriod", Kind::Int),
        ("probationIntensityRate", Kind::Int),
        ("unproductiveDelegateMaxCacheSize", Kind::Int),
        ("liquidStakingContractAddress", Kind::Text),
    ],
};

static REWARDING: Section = Section {
    name: "genesis.Rewarding",
    fields: &[
        ("initBalance", Kind::Text),
        ("blockReward", Kind::Text),
        ("dardanellesBlockReward", Kind::Text),
        ("wakeBlockReward", Kind::Text),
        ("epochReward", Kind::Text),
        ("aleutianEpochReward", Kind::Text),
        ("numDelegatesForEpochReward", Kind::Int),
        ("exemptAddrsFromEpochReward", Kind::Texts),
        ("foundationBonus", Kind::Text),
        ("numDelegatesForFoundationBonus", Kind::Int),
        ("foundationBonusLastEpoch", Kind::Int),
        ("foundationBonusP2StartEpoch", Kind::Int),
        ("foundationBonusP2EndEpoch", Kind::Int),
        ("productivityThreshold", Kind::Int),
    ],
};

static STAKING: Section = Section {
    name: "genesis.Staking",
    fields: &[
        ("voteWeightCalConsts", Kind::Any),
        ("registrationConsts", Kind::Any),
        ("withdrawWaitingPeriod", Kind::Duration),
        ("minStakeAmount", Kind::Text),
        ("bootstrapCandidates", Kind::Any),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_leaves_out_fork_heights_and_nothing_else() {
        let base = hash("blockchain: {timestamp: 1, yapHeight: 5}\naccount: {}");
        assert_eq!(base, hash("# note\nblockchain:\n  yapHeight: 70\n  timestamp: 1\naccount: {}"));
        assert_ne!(base, hash("blockchain: {timestamp: 2, yapHeight: 5}\naccount: {}"));
        let named = forks("blockchain: {timestamp: 1, yapHeight: 5, wakeBlockGasLimit: 3}");
        assert_eq!(named, BTreeMap::from([("yapHeight".into(), 5)]));
        assert!(forks("").is_empty());
    }
}
