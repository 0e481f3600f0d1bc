//! The codes of what can go wrong in a step, each once: what, and what to do.

/// A code of the steps and of the self-test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable, such as `E317`.
    pub code: &'static str,
    /// What happened, without particulars.
    pub what: &'static str,
    /// What a person can do.
    pub cure: &'static str,
}

macro_rules! codes {
    ($($name:ident $code:literal $what:literal $cure:literal)*) => {
        $(#[doc = $what] pub const $name: Code = Code { code: $code, what: $what, cure: $cure };)*
        /// Every code of this table.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    ENGINE "E300" "the Engine did not do what it was asked"
        "look at the Engine's own log; the step is tried again"
    NO_CONTAINER "E301" "the node's container does not exist"
        "name the right one in agent.yaml, or create the node"
    AUTO_REMOVE "E302" "the container was made with --rm: stopping it would delete it"
        "create it again without --rm"
    SHARED_DATA "E303" "another container uses the same data folder"
        "remove the other container, or its restart policy; two producers with one key are never risked"
    WRONG_VERSION "E304" "the release may not follow the version that runs"
        "wait for a release that may, or upgrade step by step"
    UNKNOWN_VERSION "E305" "the node does not say which version it is"
        "start it, so that it can be asked"
    NO_PLATFORM "E306" "the release has no image for this host's platform"
        "ask the officers for a release that has"
    NO_IMAGE "E307" "the image is not here and the release names nothing to pull"
        "load the image by hand (docker load)"
    WRONG_IMAGE "E308" "the image is not the one that was signed"
        "do not run it; tell the officers which registry served it"
    TAG_ELSEWHERE "E309" "the release's tag points at another image on this host"
        "remove or correct the tag; a tag is only a name, and this one lies"
    STICKY "E310" "this release was rolled back here and is not tried again by itself"
        "look at why it failed (`muster-agent log`); officers publish a mended release"
    NO_GENESIS "E311" "the node's genesis file was not found"
        "mount it as a file and name it with -genesis-path"
    GENESIS_CHANGED "E312" "somebody changed the genesis file meanwhile"
        "put back the file that belongs to the version that runs"
    FILES "E313" "a file of the node could not be written"
        "check free space and rights of its folder"
    SUCCESSOR_ODD "E314" "the successor is not what was planned"
        "a container of that name is not ours: remove or rename it, before a new release comes"
    STILL_RUNNING "E315" "the container is not verified down; nothing else is started"
        "look at the container; unknown means stay down"
    CRASHED "E316" "self-test: the node exited"
        "read the node's log"
    NOT_ADVANCING "E317" "self-test: the height does not advance"
        "read the node's log"
    NO_PROBE "E318" "self-test: the node's probe does not answer"
        "read the node's log"
    NOT_READY "E319" "self-test: the node does not become ready"
        "read the node's log; it waits for peers, for its data, or applies old blocks"
    OTHER_VERSION "E320" "self-test: the node says it is another version than planned"
        "the release document and its image do not belong together; tell the officers"
    OTHER_FILES "E321" "self-test: container, image or genesis are not as planned"
        "find out who changed them"
    LAGGING "E322" "self-test: the node is behind the fleet"
        "read the node's log"
    FEW_PEERS "E323" "self-test: the node has too few peers"
        "check its ports and its bootstrap nodes"
    UNSETTLED "E324" "self-test: consensus does not come to rest"
        "read the node's log"
    STARTING "E326" "the node is in start-up and deaf to its stop signal"
        "wait; it is asked again"
    CANNOT_TELL "E327" "nobody could tell now whether the node is well"
        "wait until the fleet advances"
    OUT_OF_ORDER "E328" "a step was asked for that does not follow"
        "a fault of this program: report it"
    NO_RELEASE "E329" "the release or its genesis file is not known here"
        "wait for a board that has it"
    JOURNAL "E330" "the journal could not be written; nothing is done without it"
        "check free space and rights of the agent's folder"
    NOT_BACK "E331" "the old node is not well again"
        "look at it now; the agent leaves it as it is"
    PAUSED "E332" "the container is paused"
        "unpause it (docker unpause)"
    GONE "E333" "a container of this plan is gone"
        "somebody removed it; the agent creates no node by itself"
    UNDO "E334" "it could not be taken back"
        "look at the Engine; it is tried again"
    INTERRUPTED "E335" "an emergency stopped the node in the middle of this step"
        "nothing; the plan that ends the emergency says which node starts"
    DRY "E336" "a dry drill would have touched the node"
        "a fault of this program: report it; the node was not touched"
    ABORTED "E337" "the plan was aborted in the middle of this upgrade"
        "nothing; the old node is put back, and a new plan is needed"
}

/// The code with this text; [`ENGINE`] when there is none (an older journal's).
pub fn find(code: &str) -> Code {
    ALL.iter().copied().find(|known| known.code == code).unwrap_or(ENGINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_in_order() {
        assert!(ALL.is_sorted_by(|one, next| one.code < next.code));
        assert!(ALL.iter().all(|code| find(code.code) == *code));
    }
}
