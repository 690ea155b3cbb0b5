"""How good a model is: on texts, by multiple choice, and on the village, where the truth is known."""

from minigpt.evaluation.domains import Domains, evaluate_domains
from minigpt.evaluation.formats import read_hellaswag, read_mmlu
from minigpt.evaluation.intervals import Interval, McNemar, bootstrap, mcnemar, paired_difference, wilson
from minigpt.evaluation.letters import by_letter, letter_prompt, split_examples
from minigpt.evaluation.multiple_choice import (
    WAYS,
    Accuracy,
    ChoiceScores,
    MultipleChoice,
    accuracies,
    score_choices,
)
from minigpt.evaluation.perplexity import CorpusLoss, DocumentLoss, Window, perplexity, windows
from minigpt.evaluation.probes import Probe, ProbeScores, probes, score_probes, spread
from minigpt.evaluation.scoring import end_of_text, token_log_probs
from minigpt.evaluation.village import SEED, Excess, WrittenStories, WrittenStory, excess, judge
from minigpt.evaluation.village_choices import about_story, endings

__all__ = [
    "SEED",
    "WAYS",
    "Accuracy",
    "ChoiceScores",
    "CorpusLoss",
    "DocumentLoss",
    "Domains",
    "Excess",
    "Interval",
    "McNemar",
    "MultipleChoice",
    "Probe",
    "ProbeScores",
    "Window",
    "WrittenStories",
    "WrittenStory",
    "about_story",
    "accuracies",
    "bootstrap",
    "by_letter",
    "end_of_text",
    "endings",
    "evaluate_domains",
    "excess",
    "judge",
    "letter_prompt",
    "mcnemar",
    "paired_difference",
    "perplexity",
    "probes",
    "read_hellaswag",
    "read_mmlu",
    "score_choices",
    "score_probes",
    "split_examples",
    "spread",
    "token_log_probs",
    "wilson",
    "windows",
]
