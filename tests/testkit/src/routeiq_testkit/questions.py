"""Questions to ask a model, each with its topic, and templates that make more of the same kinds.
All are of our own writing, licensed under Apache-2.0 like the code; none is taken from a benchmark.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    topic: str


_WRITTEN: Mapping[str, tuple[str, ...]] = {
    "code": (
        "Write a Python function that merges two sorted lists without calling sort.",
        "Why does my Rust code not compile when I push to a vector while I iterate over it?",
        "Give me a SQL query for the three customers with the largest unpaid orders.",
        "Turn this callback into async JavaScript and keep its error handling: load(id, (err, row) => show(row)).",
        "Which unit test would catch an off-by-one bug in a ring buffer class?",
        "Explain what the regex ^(?:a|ab)+$ matches and where it backtracks.",
    ),
    "reasoning": (
        "A ferry leaves at 9:40 at 24 km/h and a faster one at 10:10 at 36 km/h. How long until they meet?",
        "Prove that the sum of three consecutive integers is divisible by three.",
        "If all glims are brons and no bron is a tave, can a glim be a tave? Go step by step.",
        "What is 17 percent of 2,340, and what is left after it is taken off?",
        "Ada is two years older than Ben, who is half as old as Cy, who is 22. Who is older, Ada or Cy?",
        "Two dice are thrown. What is the probability that their sum is a prime number?",
    ),
    "writing": (
        "Write a short poem about a lighthouse that has been switched off.",
        "Draft a kind letter to a neighbour whose dog sings at night.",
        "Rewrite this so that it sounds less angry: You never answer and I am tired of waiting.",
        "Compose a toast for two colleagues who retire after thirty years at the same desk.",
        "Write a product text of fifty words for a kettle that whistles in tune.",
        "Write an opening paragraph for a story that takes place in a repair shop for clocks.",
    ),
    "translation": (
        "Translate into German: The last train leaves before the concert ends.",
        "How do you say 'I would rather walk, thank you' in Italian?",
        "Translate this sign into Spanish: Please close the gate, the goats are curious.",
        "Translate from English to French: My code works, and nobody knows why.",
        "How would I say 'it rains cats and dogs' in Dutch, with an idiom of the same kind?",
        "Translate this into Portuguese and keep it informal: Hey, how are you? Long time no see!",
    ),
    "extraction": (
        "Extract the invoice number and the amount: Invoice 88-1402, due 3 May, total 612.50 EUR.",
        "Pull out every person from the text: Mira met Tomas and old Mr Hale at the pier.",
        "List all dates from this note: back on 4 June, dentist on the 9th, party moved to 12 July.",
        "Extract the order as fields: two oak shelves, one lamp, deliver to Quay Street 7. Return it as JSON.",
        "Pull out the e-mail addresses: write to desk@example.org, or ana@example.net after six.",
        "Extract the city and the temperature: It was a mild 14 degrees in Porto when we landed.",
    ),
    "smalltalk": (
        "Hello there! How are you today?",
        "Good morning! Did you sleep well, if you sleep at all?",
        "Tell me something nice, it has been a long week.",
        "What is your favourite season, and why is it autumn?",
        "Cheer me up, my bus left without me.",
        "Thanks for yesterday, you were a great help!",
    ),
    "general": (
        "Why is the sea salty although rivers are not?",
        "What did people use to keep food cold before refrigerators?",
        "How does a heat pump warm a house when it is freezing outside?",
        "Who decides where the border of a time zone runs?",
        "What makes a violin sound different from a trumpet on the same note?",
    ),
}
QUESTIONS: tuple[Question, ...] = tuple(Question(text, topic) for topic, texts in _WRITTEN.items() for text in texts)

_NUMBERS = tuple(str(number) for number in range(12, 96, 7))
_NAMES = ("Mira", "Tomas", "Ines", "Jonas", "Aiko", "Pavel", "Lena", "Omar", "Ruth", "Silvan")
_PLACES = ("Porto", "Leeds", "Graz", "Lyon", "Turku", "Bari", "Gdansk", "Cork")
_THINGS = ("kettle", "bicycle", "lantern", "umbrella", "violin", "map", "clock", "kite", "teapot", "ladder")
_LANGUAGES = ("German", "French", "Spanish", "Italian", "Dutch", "Polish", "Swedish", "Portuguese")
_PROGRAMMING = ("Python", "Rust", "JavaScript", "TypeScript", "Java")
_TASKS = (
    "parses a date",
    "counts words",
    "merges two lists",
    "walks a tree",
    "rounds a price",
    "finds duplicates",
    "checks a password",
    "splits a path",
)
_CARE = ("without a library", "in one pass", "and handles empty input", "and explain its cost", "with type annotations")
_MOODS = ("cheerful", "solemn", "short", "funny", "tender", "dry", "hopeful", "plain")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEATHER = ("sunny", "grey", "windy", "frosty", "rainy", "foggy")

_Template = tuple[str, tuple[tuple[str, ...], ...]]
_TEMPLATES: Mapping[str, tuple[_Template, ...]] = {
    "code": (
        ("Write a {} function that {} {}.", (_PROGRAMMING, _TASKS, _CARE)),
        ("My {} code that {} fails on line {}. Where is the bug?", (_PROGRAMMING, _TASKS, _NUMBERS)),
    ),
    "reasoning": (
        ("What is {} times {} minus {}?", (_NUMBERS, _NUMBERS, _NUMBERS)),
        ("{} has {} coins and gives away {}. How many are left?", (_NAMES, _NUMBERS, _NUMBERS)),
    ),
    "writing": (
        ("Write a {} poem about a {} in {}.", (_MOODS, _THINGS, _PLACES)),
        ("Draft a {} note to {} about a lost {}.", (_MOODS, _NAMES, _THINGS)),
    ),
    "translation": (
        ("Translate into {}: The {} was left in {}.", (_LANGUAGES, _THINGS, _PLACES)),
        ("How do you say '{} likes the {}' in {}?", (_NAMES, _THINGS, _LANGUAGES)),
    ),
    "extraction": (
        ("Extract the name and the city: {} sent a {} to {}.", (_NAMES, _THINGS, _PLACES)),
        ("Pull out the amount from this line: {} paid {} EUR on {}.", (_NAMES, _NUMBERS, _DAYS)),
    ),
    "smalltalk": (
        ("Hello, {} here! How are you on this {} {}?", (_NAMES, _WEATHER, _DAYS)),
        ("Good morning from {}! It is {} here, how is your {}?", (_PLACES, _WEATHER, _DAYS)),
    ),
    "general": (
        ("Who first made a {} in {}, and what was it like {} years ago?", (_THINGS, _PLACES, _NUMBERS)),
        ("Why would somebody in {} keep a {} in the house on a {}?", (_PLACES, _THINGS, _DAYS)),
    ),
}


def multiply(n: int, seed: int = 0) -> tuple[Question, ...]:
    """Make `n` different questions from the templates, the topics in turn; the same seed gives the same questions.

    Raises ValueError if the templates can not make as many.
    """
    rng = random.Random(seed)
    topics = tuple(_TEMPLATES)
    by_topic = []
    for place, topic in enumerate(topics):
        wanted = len(range(place, n, len(topics)))
        possible = sum(_ways(template) for template in _TEMPLATES[topic])
        if wanted > possible:
            raise ValueError(f"the templates make {possible} questions on {topic}, not {wanted}")
        numbers = rng.sample(range(possible), wanted)
        by_topic.append([Question(_fill(_TEMPLATES[topic], number), topic) for number in numbers])
    return tuple(by_topic[place % len(topics)][place // len(topics)] for place in range(n))


def _ways(template: _Template) -> int:
    return prod(len(words) for words in template[1])


def _fill(templates: tuple[_Template, ...], number: int) -> str:
    """The question with this number, counting through all fillings of all templates."""
    for template in templates:
        if number < _ways(template):
            break
        number -= _ways(template)
    text, slots = template
    words = []
    for choices in slots:
        number, place = divmod(number, len(choices))
        words.append(choices[place])
    return text.format(*words)
