//! Every code that a document of the author's side can be refused or warned with: one table.

/// Whether a finding refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Refuses: nothing is written.
    Error,
    /// Is shown, and refuses nothing.
    Warning,
}

impl Severity {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $what:literal $explain:literal)*) => {
        /// A stable code. `D1xx` the text itself, `D15x`–`D16x` what is not built yet,
        /// `D12x`–`D14x` a roster, release or key document, `P0xx` a plan that cannot be
        /// safe or cannot end, `P2xx` warnings about a plan.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $what] $name,)*
        }

        impl Code {
            /// All of them, in order.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// Such as `P014`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// What is wrong, in one short line.
            pub fn what(self) -> &'static str {
                match self { $(Code::$name => $what,)* }
            }

            /// What it means, for `muster explain CODE`.
            pub fn explain(self) -> &'static str {
                match self { $(Code::$name => $explain,)* }
            }

            /// Whether it refuses.
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    D101 "D101" Error "this is not YAML"
        "The text could not be read as one YAML document."
    D102 "D102" Error "the file is too large"
        "Documents of people are small. The limit keeps a wrong file from being read as one."
    D103 "D103" Error "unknown field"
        "Every field is known or refused: a misspelt field that is ignored is a choice nobody made."
    D104 "D104" Error "a field is given twice"
        "Readers differ in which of two wins, so neither does."
    D105 "D105" Error "a field is missing"
        "It has no default, because a wrong guess could be unsafe."
    D106 "D106" Error "wrong type"
        "Another kind of value is expected here."
    D107 "D107" Error "wrong unit"
        "Numbers carry their unit: `2s`, `1h 30m`, `5 blocks`, `7 of 24`."
    D108 "D108" Error "unknown value"
        "Only the listed values are understood here."
    D109 "D109" Error "not a valid value"
        "The text has the right type and is still no such name, key, digest, address or time."
    D111 "D111" Error "merge keys are refused"
        "`<<` makes fields appear that do not stand where they are read."
    D112 "D112" Error "anchors and aliases are refused"
        "What is signed stands where it is read; an alias also allows documents that explode."
    D113 "D113" Error "more than one document in the file"
        "One file, one document."
    D114 "D114" Error "another kind of document"
        "The field `muster` says what a file is; another kind or version is not guessed at."

    D121 "D121" Error "a name is used twice"
        "Nodes, seats and officers are told apart by name."
    D122 "D122" Error "an operator address is used twice outside a group"
        "One operator address is one seat. Nodes that share it belong to one standby group."
    D123 "D123" Error "an agent key is used twice"
        "Receipts are told apart by the agent's key."
    D124 "D124" Error "a group that cannot be one seat"
        "The nodes of a standby group share one operator address and all have a seat or none."
    D125 "D125" Error "the active set cannot be"
        "Consensus has at least one active producer."
    D126 "D126" Error "managed contradicts the key"
        "A node is managed when it has an agent, that is a key."
    D127 "D127" Error "not the next version"
        "A new document takes the version after the newest one."
    D128 "D128" Error "the enrolment does not fit"
        "An agent's enrolment is for one network and proves that it holds its key."
    D129 "D129" Error "the roster cannot be edited without hands"
        "Nodes are added as text, so that comments stay; this layout is not understood."
    D131 "D131" Error "an image without a digest"
        "A tag is only a name: it can point elsewhere tomorrow. What runs is named by digest."
    D132 "D132" Error "a release nobody can come to"
        "`from` names the versions it may come from; the release itself is not among them."
    D133 "D133" Error "a genesis file that is none"
        "The genesis file of a release is not empty and has at most 1 MiB."
    D134 "D134" Error "a release for nobody"
        "At least one node role must or should take it."
    D135 "D135" Error "compatibility contradicts the activation height"
        "A release that is not compatible says from which height on."
    D141 "D141" Error "an officer who is not listed"
        "Keys are given by name; the name must stand under `officers`."
    D142 "D142" Error "a threshold that cannot be met"
        "At least one, and not more than there are different keys."
    D143 "D143" Error "one public key under two names"
        "One person who signs twice is still one."
    D144 "D144" Error "the role's keys are not offline keys of officers"
        "Root, targets and every class are signed by officers; a key of the publisher is online."
    D145 "D145" Error "a document that has expired"
        "What is signed now must be valid now."
    D146 "D146" Error "a role is missing"
        "Every delegated role needs keys, or its documents can never be signed."

    D150 "D150" Error "action `pause` is not built yet"
        "Pausing a node needs its admin port; it comes with the drills."
    D151 "D151" Error "action `resume` is not built yet"
        "Resuming a node needs its admin port; it comes with the drills."
    D152 "D152" Error "action `rollback` is not built yet"
        "Rolling the state of the chain back comes with the drills. A failed node undoes its own step already."
    D153 "D153" Error "action `bootstrap` is not built yet"
        "Starting a chain from block 0 comes with the drills."
    D154 "D154" Error "action `fast-sync` is not built yet"
        "Starting from a published snapshot comes with the drills."
    D155 "D155" Error "non-compatible plans are not built yet"
        "Their phases with barriers and the vote come with the drills."
    D156 "D156" Error "`roll-back-all` is not built yet"
        "Turning a whole plan back is a phase of its own and comes with the drills."
    D157 "D157" Error "`unmanaged: witness` is not built yet"
        "Needs the witnesses of other operators' agents; use `away` or `assume-up`."
    D160 "D160" Error "changing the config is not built yet"
        "The three-way merge comes later; only `config: unchanged` is understood."
    D161 "D161" Error "patch files are not built yet"
        "A release carries an image and at most one genesis file for now."
    D162 "D162" Error "data steps are not built yet"
        "A release carries an image and at most one genesis file for now."

    P001 "P001" Error "a plan for another network"
        "The roster at hand is another network's; agents refuse a foreign plan anyway."
    P002 "P002" Error "the serial is not new"
        "Agents refuse a serial below the newest of its counter. `hotfix` and `drill` share one counter."
    P003 "P003" Error "the serial jumps too far"
        "Agents refuse a serial more than 1,000 above the newest, so that nobody burns the counter."
    P004 "P004" Error "the plan ends before it begins"
        "`valid.until` is the first moment after; it must lie behind `valid.from`."
    P005 "P005" Error "the plan has already run out"
        "Nobody could begin it."
    P006 "P006" Error "the plan outlives what it rests on"
        "When metadata expires, agents stop believing the plan in the middle of it."
    P007 "P007" Error "an older open plan is neither in `after` nor in `supersedes`"
        "Two open plans must know of each other, or nodes wait for both."
    P008 "P008" Error "an unknown plan is named"
        "`after` and `supersedes` name older plans of the same counter that the board holds."
    P009 "P009" Error "`after` and `supersedes` contradict"
        "A plan comes after another one, or takes its place, and only older ones have a place."
    P010 "P010" Error "an emergency plan carries an image"
        "One emergency key must never be able to change what runs."
    P011 "P011" Error "an emergency plan can only stop"
        "Starting again needs the full threshold of the class hotfix or drill."
    P012 "P012" Error "a plan of class drill is not marked as a drill"
        "The mark is what people and monitors see."
    P013 "P013" Error "a release that the board does not hold"
        "A release is frozen by digest, so it must be published first. A tag is only a name."
    P014 "P014" Error "the budget lets the chain halt"
        "A block needs more than 2/3 of the active seats: 3 × (active − down) must exceed 2 × active."
    P015 "P015" Error "a gate that cannot be met"
        "A wave cannot have more nodes done than it has."
    P016 "P016" Error "the order outweighs the budget"
        "Stopped nodes stay away, so a stop never gets further than its budget."
    P017 "P017" Error "a wave of nobody"
        "A wave needs nodes; a select that finds nobody is most likely misspelt."
    P018 "P018" Error "a node stands twice in the order"
        "Every node has one place."
    P019 "P019" Error "an unknown node stands in the order"
        "The order is made of nodes of the roster."
    P020 "P020" Error "the order misses a node that must take the release"
        "The release says that this role must take it; the node would fall off the chain."
    P021 "P021" Error "the start waits for itself"
        "A node becomes healthy only when more than half of the bootstrap nodes run and a quorum is there."
    P022 "P022" Error "nobody at a time"
        "`parallel` is the number of nodes at work at one time; with 0 nobody ever begins."
    P023 "P023" Error "the soak is longer than the plan is valid"
        "The last wave could never begin."
    P024 "P024" Error "the release may not come from what runs"
        "Agents refuse a release whose `from` does not list their version."
    P025 "P025" Error "the deadline per node is too short"
        "Booting, getting ready and holding must fit, or every node fails by the clock."
    P026 "P026" Error "beacons are stale before the next one is due"
        "`stale` must be at least twice `every`, or one lost beacon makes a node bad."
    P027 "P027" Error "absent before stale"
        "`absent-after` must not be shorter than `beacon.stale`."
    P028 "P028" Error "a gate that proves nothing"
        "A wave that needs nobody done lets the next begin after it failed altogether."
    P029 "P029" Error "a node without an agent stands in the order"
        "Nobody would carry it out. Unmanaged nodes are counted by `unmanaged`."
    P030 "P030" Error "past the activation height"
        "All nodes must have the release before its activation height."
    P031 "P031" Error "an upgrade without a release"
        "Say which one."
    P032 "P032" Error "a test that proves nothing"
        "Height that need not advance says nothing about a node; readiness lies."
    P033 "P033" Error "a release that is not compatible"
        "Old and new nodes would part; such a release needs a non-compatible plan."
    P034 "P034" Error "two waves of one name"
        "People and receipts tell waves apart by name."
    P035 "P035" Error "a release where none belongs"
        "Only an upgrade carries one."
    P036 "P036" Error "the budget is counted against another active set"
        "The roster says how many are active; the plan must mean the same number."
    P037 "P037" Error "nobody may ever begin"
        "The budget is 0, and this action takes every node away for a moment."
    P038 "P038" Error "nodes without an agent use up the budget"
        "They count as away as long as the plan lasts."
    P039 "P039" Error "the frozen plan differs from its sources"
        "What is signed must be exactly what the roster, the releases and the author's file give."
    P040 "P040" Error "beacons that are not sent or clocks that may not differ"
        "`beacon.every` and `beacon.skew` must be above 0."
    P041 "P041" Error "a compatible plan without a budget"
        "`budget: all` counts nothing and may halt the chain; say `compatibility: halting` if that is meant."
    P042 "P042" Error "a schedule where none belongs"
        "Only an emergency takes effect by the clock; every other plan waits for evidence."
    P043 "P043" Error "a slot outside of the validity"
        "Nobody begins before `valid.from` or after `valid.until`, so that slot would never come."
    P044 "P044" Error "`ends` without the full threshold"
        "One emergency key stops; starting again takes the threshold of the class hotfix."
    P045 "P045" Error "`ends` names an emergency that the board does not hold"
        "It would end a stop that nobody has signed yet."
    P046 "P046" Error "an emergency with a budget"
        "It takes effect by its schedule, whatever is away: nothing is counted."
    P047 "P047" Error "`interrupted` without `ends`"
        "It says which node starts where an emergency came in the middle of a step."
    P048 "P048" Error "an emergency that comes after another plan"
        "It waits for nobody, so that nothing can keep it back."
    P049 "P049" Error "a drill of another class"
        "A drill is signed by the keys of the role drill, and operators have a policy for it."

    P201 "P201" Warning "seats that do not answer reach the budget"
        "With them away, a node would wait until one of them returns."
    P202 "P202" Warning "`parallel` is larger than the budget"
        "The budget binds first; the pace is never reached."
    P203 "P203" Warning "the order misses nodes that should take the release"
        "The release recommends it for their role."
    P204 "P204" Warning "a node that needs no such release"
        "The release says not required for its role."
    P205 "P205" Warning "the whole fleet is in the first wave"
        "There is no canary: a bad release reaches everybody."
    P206 "P206" Warning "the plan may run out before it is through"
        "With default health times it takes longer than it is valid."
    P207 "P207" Warning "valid for long"
        "Who steals the publisher's key can hide an abort for as long as a plan is valid."
    P208 "P208" Warning "the chain halts"
        "Nothing is counted: the chain stops when more than a third of the active seats are away."
    P209 "P209" Warning "nodes without an agent are taken for up"
        "On the officers' word; if they are down, the chain may halt."
    P210 "P210" Warning "an older plan may still be open"
        "Documents alone do not tell that a plan is over. If it is not, nodes finish it first."
    P211 "P211" Warning "an emergency may hold nodes down"
        "What an emergency stopped stays down until a plan ends it; other plans wait for that."
}
