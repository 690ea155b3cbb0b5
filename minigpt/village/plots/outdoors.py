"""Plots out of doors: a lost thing, a storm, a bet, a race of boats, a stranger on the road."""

from __future__ import annotations

from minigpt.village.grammar import maybe, one_of, paragraph, say, then
from minigpt.village.plots.common import OUTSIDE, ending

LOST = then(
    OUTSIDE,
    say("{A} had {a C:colour} {T:toy}, and {he A} took it everywhere.",
        "{He A} had {his A} {T:toy} with {him A}, the {C:colour} one from {his A} {K:kin}.",
        "{He A} carried {a C:colour} {T:toy}, {his A} most precious thing.", do="have A T; tint T C"),
    say("Then {he A} went {to Q:outdoors}, and there {he A} met {B:child}.",
        "On the way {to Q:outdoors} {he A} met {B:child}, and they walked on together.",
        do="go A Q; arrive B Q"),
    one_of(
        say("They [talked|laughed|whispered] and forgot the time.", "They threw stones and told each other riddles."),
        say("They looked for [mushrooms|feathers|round stones|four-leaf clovers]."),
    ),
    paragraph(),
    say("Suddenly {A} stood still. \"My {T} is gone.\"", "But when {A} wanted to go home, the {T} was gone.",
        "\"Where is your {T}?\" asked {B}. {A} looked, and it was gone.", do="lose A T"),
    one_of(
        say("{He A} had tears in {his A} eyes.", "{He A} turned all {his A} pockets inside out.",
            "\"Do not cry,\" said {B}. \"We shall find it.\""),
        then(),
    ),
    one_of(
        then(
            say("\"Where did you come from?\" asked {B}. \"I was {in P},\" said {A}."),
            say("So they went back {to P}, and looked behind every [stone|bush|post].",
                "Together they went back {to P}.", do="go A P; go B P"),
            say("And there was something {colour(T)} in the grass. {Z:both(A,B)} picked it up.",
                "\"I see something {colour(T)},\" cried {Z:both(A,B)}, and it was the {T}.", do="lie T P; take Z T"),
        ),
        then(
            say("They asked {a D:stranger} who came by. \"What colour is it?\" \"It is {colour(T)},\" said {A}.",
                "{A D:stranger} with a [basket|walking stick|barrow] stopped. \"Are you looking for something?\" "
                "\"For a {T},\" said {A}. \"It is {colour(T)}.\""),
            say("\"Then this must be yours,\" said {name D}, and {he D} gave {him A} the {T}.",
                "{Name D} smiled and pulled the {T} out of {his D} bag. \"It lay on the road.\"",
                do="arrive D at(A); have D T; give D T A"),
        ),
        then(
            say("Just then a {D:animal} came along and {sound D}. It had something {colour(T)} in its mouth.",
                "Something {colour(T)} lay beside a {D:animal}. It {sound D} when they came near."),
            say("Step by step {Z:both(A,B)} went up to the {D} and got the {T} back.",
                "{Z:both(A,B)} gave the {D} {N:number} {plural E:fruit}, and got the {T} for them.",
                do="lie T at(A); take Z T"),
        ),
    ),
    one_of(
        (1, "lacks(A,T)", say("{holder(T)} gave the {T} back to {A}.",
                                  "\"Here,\" said {holder(T)}, and gave {A} the {T}.", do="give holder(T) T A")),
        (1, "has(A,T)", then()),
    ),
    ending(
        say("{A} held the {colour(T)} {T} tight and did not let go of it again.",
            "From that day on, {A} tied the {T} to {his A} [belt|wrist|bag].",
            "\"What is lost can be found,\" said {B}, \"if you do not look alone.\""),
    ),
)  # fmt: skip

STORM = then(
    OUTSIDE,
    say("{A} was looking after {a D:animal} and its {young(D)}.",
        "{He A} had {a D:animal} to mind, and {a young(D)} that never stayed where it should."),
    say("Then the sky turned [black|yellow|dark], and far away it thundered.",
        "All at once a storm came up, and the first drops fell."),
    say("The {D} {sound D}, for the {young(D)} was gone.", "The {young(D)} was frightened and ran away."),
    say("{A} ran {to Q:outdoors} and called.", "{He A} looked for it and ran {to Q:outdoors}.", do="go A Q"),
    maybe(0.5, say("But there were only [wet leaves|puddles|shadows].", "Nobody answered but the wind.")),
    paragraph(),
    say("There {he A} met the {K:trade}, who was on the way {to workplace(K)}.",
        "There came the {K:trade} with {his K} {tool(K)} under {his K} arm.", do="arrive K at(A)"),
    one_of(
        say("\"What a day,\" said the {K}. \"All my {product(K)} will get wet.\""),
        say("\"You should be at home, my {boy A},\" said the {K}."),
    ),
    say("\"Have you seen {a young(D)}?\" asked {A}.", "{A} told {him K} about the {young(D)}."),
    say("\"Hush,\" said the {K}. \"Do you hear that?\" Something cried {in R:cover}.",
        "\"I heard something {in R:cover},\" said the {K}, and they looked together."),
    say("There sat the {young(D)}, wet and trembling, and {name X:both(A,K)} picked it up.",
        "{Name X:both(A,K)} bent down, and there was the {young(D)}.", do="have X young(D)"),
    one_of(
        (1, "has(K,young(D))", say("The {K} put the {young(D)} into {A}'s arms.",
                                   "The {K} gave it to {A}, who held it tight.",
                                   do="give K young(D) A")),
        (1, "has(A,young(D))", say("{A} carried it under {his A} coat.", "{A} dried it with {his A} scarf.")),
    ),
    say("Together they waited {in workplace(K)} until the storm was over.",
        "The {K} took them {to workplace(K)}, where it was warm and dry.", do="go A workplace(K); go K workplace(K)"),
    ending(
        say("Then {A} brought the {young(D)} back to the {D}, and they slept {in home(D)}.",
            "When the {D} saw its {young(D)}, it {sound D} for joy."),
        maybe(0.5, say("The next day {A} took {him K} {N:number} {plural E:fruit}.",
                       "The next day {A} went to thank the {K} and [swept|tidied] the {workplace(K)}.")),
    ),
)  # fmt: skip

BET = then(
    OUTSIDE,
    say("{B:child} was there too.", "Then {B:child} came along.", do="arrive B at(A)"),
    say("\"I have the {most J:adjective} {E:fruit} in the village,\" said {A}.",
        "{He A} was proud of {his A} {E:fruit}. It was really very {J:adjective}.",
        "{A} had {a E:fruit} in {his A} pocket, and it was very {J:adjective}."),
    say("\"Mine is {more J},\" said {B}.", "{B} shook {his B} head. \"I have one that is {more J}.\"",
        "\"I bet that mine is {more J} than yours,\" said {B}."),
    say("\"Whoever loses must {V:act} in front of the whole school,\" said {X:both(A,B)}.",
        "\"And whoever loses must {V:act} for everybody on {L:weekday},\" said {X:both(A,B)}."),
    say("\"I promise,\" said {A}. \"I promise,\" said {B}.", "They shook hands, and so it was a promise.",
        do="promise A B; promise B A"),
    paragraph(),
    say("Who should decide? They asked the {K:trade}, who was just coming from the {workplace(K)}.",
        "So they asked the {K:trade} to be the judge.", do="arrive K at(A)"),
    say("The {K} put the two side by side and [thought|looked|measured] for a long time.",
        "The {K} took out {his K} {tool(K)} and looked at both of them."),
    say("\"{X:both(A,B)} has won,\" {he K} said. \"This one is {more J}.\"",
        "\"The {most J} one belongs to {X:both(A,B)},\" said the {K}.", do="win X; arrive K at(A)"),
    one_of(
        say("{loser(A,B)} was [sad|angry|silent] for a moment.", "{loser(A,B)} sighed, and then laughed."),
        say("\"A promise is a promise,\" said {loser(A,B)}."),
    ),
    one_of(
        then(
            say("The next day {he loser(A,B)} stood there and {past V}, and it was [dreadful|wonderful|very funny].",
                "And {he loser(A,B)} really {past V}, in front of everyone.", do="keep loser(A,B) winner(A,B)"),
            say("{winner(A,B)} clapped the loudest.", "Everybody clapped, and {winner(A,B)} clapped most of all."),
        ),
        say("And because nobody likes to {V} alone, {winner(A,B)} {past V} too, and {loser(A,B)} was glad.",
            do="keep loser(A,B) winner(A,B)"),
    ),
    ending(
        say("Then they ate both, the {J} one and the {more J} one.",
            "\"Next year mine will be {more J},\" said {loser(A,B)}."),
    ),
)  # fmt: skip

STRANGER = then(
    OUTSIDE,
    say("{A D:stranger} sat by the road with a heavy [sack|bundle|basket].",
        "There {he A} met an old {D:stranger} who leaned on a stick.",
        "Down the road came an old {D:stranger} with a heavy [sack|bundle|basket].", do="arrive D at(A)"),
    say("\"Good day, my {boy A},\" said {name D}.", "\"Can you help me, my {boy A}?\" asked {name D}."),
    say("{He D} had to go {to Q:outdoors}, and {his D} legs were tired.",
        "{He D} was on {his D} way {to Q:outdoors} and had lost {his D} spectacles."),
    say("\"I know the way,\" said {A}, and took {him D} by the hand.", "{A} took the heavy load and walked ahead."),
    paragraph(),
    say("On the way {name D} talked about the time when {he D} was a {boy D} and {past V:verb} all day.",
        "\"When I was a {boy D},\" said {name D}, \"I could {V:verb} better than anybody.\""),
    one_of(then(), say("They rested [under a tree|on a wall|at a milestone] and shared {N:number} {plural E:fruit}.")),
    say("At last they came {to Q}.", "Soon they were {in Q}.", do="go A Q; go D Q"),
    say("\"You shall have something for your trouble,\" said {name D}, and gave {him A} {a C:colour} {T:treasure}.",
        "{Name D} felt in {his D} pocket and gave {him A} {a T:treasure}. It was {C:colour}.",
        do="have D T; tint T C; give D T A"),
    one_of(
        then(
            say("At home {his A} {K:kin} looked at the {T}. \"I know it,\" said {name K}. \"I lost it as a child.\"",
                "{His A} {K:kin} stared at the {T}. \"Where did you get that?\""),
            say("So {A} gave {him K} the {T}, and {he K} told a long story about it.",
                "And {A} gave {name K} the {colour(T)} {T}, for it belonged to {him K}.",
                do="arrive K at(A); give A T K"),
        ),
        say("{A} put the {T} on a string and wore it round {his A} neck.",
            "{A} showed the {T} to {his A} {K:kin}, who had never seen anything so {colour(T)}."),
    ),
    ending(
        say("The old {D} was never seen in the village again.",
            "Sometimes {A} still looks down the road, but the {D} has not come back.",
            "And who has the {T} now? {Name holder(T)} has it to this day."),
    ),
)  # fmt: skip
