"""Stories inside the story: a tale told by the fire, and a puppet play. Here live kings and queens."""

from __future__ import annotations

from minigpt.village.grammar import one_of, paragraph, say, then
from minigpt.village.plots.common import HOME, ending

# The court: a king or a queen, a prince or a princess, and something that is stolen from them.
COURT = then(
    say("\"Once upon a time there was a {R:royal} who ruled over {N:number} [rivers|mountains|islands|forests].",
        "\"Long ago there lived a {R:royal}, and {he R} had a crown of [silver|gold|glass].",
        "\"Far away from here lived a {R:royal}, who sat on a high throne and was [proud|lonely|rich]."),
    say("{He R} had only one {son H:heir}, {a H}, and {his H} name was {E:names_for(H)}.",
        "{He R} had {a H:heir} called {E:names_for(H)}, {his R} only {son H}.",
        "And the {R} had one {son H:heir}, the young {H} {E:names_for(H)}."),
    say("One day {a C:colour} {T:treasure} was stolen from the [castle|palace|tower].",
        "The {H} had {a C:colour} {T:treasure}, and nobody else was allowed to touch it. One night it was gone.",
        "Then a dragon came and took away the {T:treasure} of the {R}, the {C:colour} one.", do="tint T C"),
    one_of(
        say("'Whoever brings me the {T} shall have half of my kingdom,' said the {R}.",
            "'Whoever finds the {T} may marry my {son H},' said the {R}."),
        say("The {R} wept, and {his R} tears filled a bucket.", "The {R} did not eat for {M:number} days."),
    ),
    one_of(
        say("So the {H} put on {his H} boots and rode out on a white horse.",
            "'I shall go,' said the {H}, and {he H} took {his H} sword."),
        say("A poor {S:stranger} heard of it and gave the {H} a [lamp|map|cloak|loaf of bread] for the way."),
    ),
)  # fmt: skip

QUEST = then(
    one_of(
        then(
            say("In a wood the {H} met {a D:animal} that could speak. 'What will you give me?' it asked.",
                "By a well sat {a D:animal}. 'I know where the {T} is,' it said."),
            say("'You shall sleep in my bed,' said the {H}.", "'You shall have {food(D)} every day,' said the {H}.",
                "The {H} gave it {food(D)}, for it was hungry."),
            say("'Then go {to Q:outdoors} and dig,' said the {D}.", "'Seek {in Q:outdoors},' said the {D}."),
        ),
        then(
            say("The {H} walked for {X:number} days and {X} nights, until {he H} came {to Q:outdoors}."),
            say("There slept a [dragon|giant|wolf], and it snored like thunder."),
        ),
    ),
    say("And {in Q}, under a stone, the {H} found the {colour(T)} {T}.",
        "There it shone, the {T}, as {colour(T)} as ever, and the {H} picked it up.", do="have H T"),
    say("When the {R} saw {his R} {son H} again, {he R} wept for joy, and the bells rang.",
        "The {R} kissed {his R} {son H}, and the whole kingdom danced for {L:number} days."),
    one_of(
        say("And when the {R} was old, the {H} sat on the throne and wore the crown.\"",
            "And if they have not died, they are living still.\""),
    ),
)  # fmt: skip

TALE = then(
    HOME,
    say("In the evening {his A} {K:kin} sat down by the fire. \"Tell me a story,\" said {A}.",
        "\"Come,\" said {his A} {K:kin}, \"and I shall tell you a story, my {called(A,K)}.\"",
        "The lamp was out already, but {his A} {K:kin} still sat on the bed and told a story."),
    paragraph(),
    COURT,
    QUEST,
    paragraph(),
    one_of(
        say("\"And what colour was the {T}?\" asked {A}. \"{Cap colour(T)}, of course,\" said {name K}.",
            "\"Who found the {T}?\" asked {name K}, to see whether {A} was awake. \"{E}, the {H},\" said {A}."),
        say("\"Was the {R} really so [rich|sad|proud]?\" asked {A}. \"Even more,\" said {name K}."),
        say("{A} wanted to be a {H} too, and {name K} cut {him A} a crown out of paper."),
    ),
    ending(),
)  # fmt: skip

PLAY = then(
    HOME,
    say("{B:child} had come with a bag full of puppets, and they made a stage out of a [table|box|blanket].",
        "Together with {B:child} {he A} wanted to give a puppet play.", do="arrive B at(A)"),
    say("\"I am the {R:royal},\" said {X:both(A,B)}. \"And I am the {H:heir},\" said {Y:others(X)}.",
        "{X:both(A,B)} took the {R:royal} with the [crown|long cloak], and {Y:others(X)} took the {H:heir}.",
        do="play X R; play Y H"),
    say("{A}'s {K:kin} sat down in the front row, and the {D:animal} sat down too.",
        "{Cap N:number} children paid {a E:fruit} each to come in."),
    paragraph(),
    say("\"Where is my crown?\" cried the {R}. {actor(R)} made a very [deep|high|angry] voice.",
        "The curtain rose. \"I am bored,\" said the {R}, and {actor(R)} let the puppet yawn."),
    say("\"I have hidden it {in S:spot},\" said the {H}.", "Then the {H} came in. \"Look {in S:spot},\" said the {H}."),
    one_of(
        say("But {actor(H)} had forgotten what came next.",
            "Then {actor(H)} had to sneeze, and the {H} fell off the stage."),
        say("Everyone laughed, because {actor(R)} held the puppet upside down.",
            "The {H} danced, and {actor(H)} sang a song to it."),
    ),
    say("\"It is not {in S},\" cried the {R}, and the chase began.",
        "So the {R} looked {in S}, and there was the crown."),
    paragraph(),
    say("At the end {Z:both(A,B)} bowed with the {role(Z)} in {his Z} hand.",
        "When it was over, the {role(Z):both(A,B)} bowed, and so did {Z}."),
    ending(
        say("\"Tomorrow I want to be the {role(Q):others(Z)},\" said {Z}, and {Q} said yes.",
            "\"The {role(Q):others(Z)} was the best,\" somebody said, and {Q} blushed."),
    ),
)  # fmt: skip
