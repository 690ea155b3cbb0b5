"""Plots at home: things lost and found, a cake, a birthday, a game of hiding."""

from __future__ import annotations

from minigpt.village.grammar import maybe, one_of, paragraph, say, then
from minigpt.village.plots.common import HOME, ending

# Somebody puts a toy away, somebody else moves it, and the first looks in the old place or in the new one, depending on
# what could be seen.
MOVED = then(
    HOME,
    say("{He A} had {a C:colour} {T:toy}, a present from {his A} {K:kin}.",
        "In {his A} hand {he A} held {a C:colour} {T:toy} that {his A} {K:kin} had [made|found|bought] for {him A}.",
        do="have A T; tint T C"),
    say("Then {B:child} came [to visit|to play|in].", "There was a knock, and {B:child} came in.",
        "{B:child} from next door was there too.", do="arrive B at(A)"),
    one_of(then(), say("They [played|laughed|sang] until they were [tired|hungry|out of breath].")),
    say("{A} put the {T} {in S:spot}.", "{A} laid the {T} {in S:spot}, where it was safe.",
        "At last {A} put the {colour(T)} {T} {in S:spot}.", do="put A T S"),
    paragraph(),
    one_of(
        then(
            say("Then {A} went {to Q:outdoors} to fetch [water|wood|the post|some milk].",
                "{A} had to run {to Q:outdoors} with a letter.",
                "Then {A} was called {to Q:outdoors}.", do="go A Q"),
            one_of(
                say("While {he A} was away, {B} took the {T} and put it {in R:spot}.",
                    "{B} wanted to play a trick. Quietly {he B} moved the {T}, and now it was {in R:spot}.",
                    "{B} tidied up and put the {T} {in R:spot}.", do="put B T R"),
                say("While {he A} was away, {B} did not touch the {T} at all.",
                    "{B} waited and read a book."),
            ),
            say("After a while {A} came back.", "Soon {A} was back again.", do="go A at(B)"),
        ),
        then(
            say("{A} stayed and watched. {B} took the {T} and put it {in R:spot}.",
                "Before {his A} eyes {B} moved the {T}, and now it was {in R:spot}.", do="put B T R"),
        ),
        then(
            say("Then {B} went {to Q:outdoors} to look at the [ducks|boats|sky].",
                "Then {B} had to go {to Q:outdoors}.", do="go B Q"),
            one_of(
                say("While {B} was away, {A} moved the {T}, and now it was {in R:spot}.",
                    "Alone, {A} took the {T} and put it {in R:spot}.", do="put A T R"),
                say("{A} sat down and [yawned|hummed a song|ate an apple]."),
            ),
            say("It was not long before {B} came back.", "Then the door opened, and {B} was there again.",
                do="go B at(A)"),
        ),
    ),
    say("\"Let us play with the {T},\" said {X:both(A,B)}, and looked {in belief(X,T)}.",
        "Now {X:both(A,B)} wanted the {T} and looked {in belief(X,T)}.",
        "{X:both(A,B)} went to get the {T}, and looked {in belief(X,T)}.", do="look X T belief(X,T)"),
    one_of(
        (1, "mistaken(X,T)", then(
            say("Nothing was there. [How strange|What a riddle|That was odd].",
                "But it was empty there. \"Where is my {T}?\"", "There was only [dust|a button|a spider] there."),
            say("\"Look {in spot(T)},\" said {Y:others(X)}.",
                "{Y:others(X)} [laughed|grinned] and pointed. It was {in spot(T)}.",
                "\"I know,\" said {Y:others(X)}. \"It is {in spot(T)}.\""),
            say("And there was the {colour(T)} {T}. {X} [hugged|held|kissed] it.",
                "So {X} found the {colour(T)} {T} after all.", do="find X T"),
        )),
        (1, "right(X,T)", say("And there it was. {X} took out the {colour(T)} {T}.",
                              "Of course it was there, and {X} took it, the {colour(T)} one.", do="find X T")),
    ),
    ending(
        maybe(0.4, say("\"Next time I shall leave a note,\" said {B}.", "\"Next time, ask me first,\" said {A}.",
                       "{A} and {B} promised each other to play no more tricks before supper.")),
        say("Then {A} and {B} played with the {T} until it was dark.",
            "They took turns with the {T}, first {B} and then {A}.",
            "They took turns with the {T}, first {A} and then {B}."),
    ),
)  # fmt: skip

CAKE = then(
    HOME,
    say("{His A} {K:kin} was baking {a F:cake}, and {A} was allowed to stir.",
        "\"Today we shall bake {a F:cake},\" said {his A} {K:kin}.",
        "It smelled of cinnamon, for {his A} {K:kin} had made {a F:cake}.", do="arrive K at(A); have K F"),
    one_of(
        say("{A} fetched {N:number} {plural E:fruit} from the cellar, and {name K} cut them up."),
        say("\"I need {N:number} {plural E:fruit},\" said {name K}, and {A} counted them out."),
        then(),
    ),
    say("When the {F} was done, it was as [round as the moon|brown as a nut|big as a cartwheel].",
        "They waited and waited, and then the {F} came out of the oven.",
        "At last {name K} put the {F} on the table."),
    paragraph(),
    one_of(
        then(
            say("Just then {B:child} looked in at the window, and {he B} was [hungry|cold and hungry|very thin].",
                "Then {B:child} came by and sniffed.", do="arrive B at(A)"),
            one_of(
                say("\"Come and sit with us,\" said {name X:both(A,K)}.",
                    "{Name X:both(A,K)} waved. \"Come in, there is enough.\""),
                say("At first {A} did not want to share. Then {he A} [was ashamed|thought again] and cut a big piece.",
                    "{A} looked at the {F}, and then at {B}, and moved over on the bench."),
            ),
            say("So {B} had a piece too, and the {F} was [soon gone|eaten to the last crumb].",
                "They cut the {F} into three pieces, and soon it was gone.", do="eat F"),
            say("\"It tastes like sunshine,\" said {Z:both(A,B)}.",
                "\"I have never eaten anything better,\" said {Z:both(A,B)}.",
                "{Z:both(A,B)} licked the plate."),
            ending(one_of(
                then(),
                say("The next day {B} brought {N:number} {plural E:fruit} to say thank you.",
                    "The next day {B} came with a basket of {plural E:fruit}."),
            )),
        ),
        then(
            say("They put the {F} on the windowsill to cool and went {to Q:outdoors}.", do="go A Q; go K Q"),
            say("When they came back, half of it was [gone|missing].",
                "But when they came home, there was a hole in it.",
                do="go A P; go K P"),
            say("\"Was it you?\" {A} asked the {D:animal}. The {D} {sound D}.",
                "On the floor sat the {D:animal}, and it {sound D} with its mouth full.",
                "A trail of crumbs led to the {D:animal}."),
            one_of(
                say("{Name K} laughed until {he K} had tears in {his K} eyes.",
                    "\"Well,\" said {name K}, \"then we have the other half.\""),
                say("{A} was angry at first. \"The {D} only wanted to know how it tastes,\" said {name K}."),
            ),
            say("So they ate the rest of the {F}, before anybody else could.",
                "They ate what was left, every crumb of the {F}.", do="eat F"),
            ending(),
        ),
    ),
)  # fmt: skip

BIRTHDAY = then(
    HOME,
    say("Tomorrow was {B:child}'s birthday, and {A} had no present yet.",
        "{B:child} was going to be {N:number} years old the next day, and {A} wanted to give {him B} something."),
    one_of(
        say("What did {he B} like? {He B} liked everything that was {C:colour}.",
            "\"{B} likes {C:colour} things best,\" said {his A} {K:kin}.",
            "Everybody knew that {B} loved {C:colour} things."),
    ),
    say("So {A} made {a T:toy} out of [wood|paper|wool|straw|cloth] and painted it {C}.",
        "{A} took {his A} old {T:toy} and painted it {C}, until it looked like new.",
        "All {his A} money went into {a T:toy}, and it was {C}, of course.", do="have A T; tint T C"),
    say("{He A} hid it {in S:spot}, so that nobody could see it.",
        "The {T} had to be a secret, so {A} put it {in S:spot}.", do="put A T S"),
    paragraph(),
    say("The next morning {B} came to {A}'s house.",
        "Early next day {B} stood at the door in {his B} best [coat|shoes|hat].",
        do="arrive B at(A)"),
    one_of(
        say("\"Happy birthday,\" said {A}. \"Close your eyes.\" And {he A} took something out.",
            "\"Guess what is {in S},\" said {A}. {B} guessed {N:number} times and was wrong every time."),
        say("\"Your present is in this room,\" said {A}. \"You are [cold|warm]. Now you are getting [warmer|colder].\"",
            "{B} looked everywhere, but {A} only smiled and said nothing."),
    ),
    say("Then {A} gave {him B} the {colour(T)} {T}.",
        "There it was, the {colour(T)} {T}, and {A} put it into {his B} hands.",
        do="take A T; give A T B"),
    one_of(
        say("{B} [laughed|danced|jumped] for joy. \"It is {colour(T)}, my favourite colour.\""),
        say("{B} could not say a word, and that is the best kind of thank you."),
        say("{B} [hugged|kissed|thanked] {A} and did not let go of the {T} all day."),
    ),
    ending(
        maybe(0.5, say("Then there was {a F:cake} for everyone.",
                       "{His B} {L:kin} had baked {a F:cake}, and it tasted of more.")),
    ),
)  # fmt: skip

HIDING = then(
    HOME,
    say("{B:child} and {D:child} were there as well, and they wanted to play.",
        "With {him A} were {B:child} and {D:child}.", do="arrive B at(A); arrive D at(A)"),
    say("\"Let us play hide-and-seek,\" said {X:people}.", "{X:people} had an idea. \"What about hide-and-seek?\""),
    say("{Y:people} had to count to [twenty|thirty|fifty|a hundred].",
        "They drew straws, and {Y:people} had to seek.",
        "\"I shall count,\" said {Y:people}."),
    paragraph(),
    say("{Z:others(Y)} hid {in S:nook}.", "Quick as a mouse, {Z:others(Y)} slipped away and hid {in S:nook}.",
        do="creep Z S"),
    say("\"I am coming,\" called {Y}.",
        "\"Ready or not, here I come,\" cried {Y}."),
    one_of(
        say("{Y} looked {in R:nook} first, but nobody was there.",
            "First {Y} searched {in R:nook}, and found only [a spider|an old sock|some dust]."),
        say("{Y} listened. Somebody was trying not to [laugh|sneeze|breathe]."),
    ),
    say("Then {he Y} saw a foot {in nook(Z)}. \"Come out, {Z},\" {he Y} said.",
        "\"{Z} is {in nook(Z)},\" cried {Y}, and so it was.", do="uncover Y Z"),
    ending(
        say("Now it was {Z}'s turn to count.", "Then {Z} had to seek, and they played until it was dark."),
    ),
)  # fmt: skip
