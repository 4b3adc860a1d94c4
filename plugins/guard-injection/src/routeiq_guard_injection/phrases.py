"""What prompt injections say, in English and in markup, as families of patterns.

Own observations of the kind, written for this guard; how a text is searched lives in `heuristics`, other languages in
`phrases_world`. In a pattern a blank stands for what may part two words, and `~` for the rest of a sentence.
"""

from __future__ import annotations

from typing import NamedTuple

STRONG, FAIR, WEAK = 0.95, 0.7, 0.45
"""What a hit is worth alone: refuses on its own; refuses unless the classifier says no; refuses where the classifier
agrees, or where a part is judged strictly."""

OVERRIDE = "instruction_override"
EXTRACT = "prompt_extraction"
ROLE = "role_play_jailbreak"
MARKUP = "forged_markup"
TOOL = "instructions_in_data"
EXFILTRATE = "data_exfiltration"
ENCODED = "encoded_instructions"
HIDDEN = "hidden_text"
CLASSIFIER = "prompt_injection"


class Phrase(NamedTuple):
    """One pattern. It is tried where each of the `needs` has one word that stands in the text."""

    label: str
    score: float
    needs: tuple[tuple[str, ...], ...]
    pattern: str


_TOLD_OF = "".join(
    rf"(?<!\b{who}\x20)"
    for who in (
        "model",
        "models",
        "bot",
        "bots",
        "llm",
        "llms",
        "it",
        "they",
        "he",
        "she",
        "who",
        "users",
        "people",
        "we",
    )
)
"""Not after these: then somebody says what others do, and does not tell the reader to do it."""
_DROP = _TOLD_OF + (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?(?: about)?|neglect|overlook|bypass(?:ing)?|skip(?: over)?|"
    r"overrid(?:e|ing)|overrule|overwrite|discard|dismiss|abandon|void|nullify|cancel|pay no attention to|set aside|"
    r"throw (?:out|away)|erase|wipe|unlearn|violate|disobey|(?:do not|don.?t|never|stop|no longer|cease|quit|not) "
    r"(?:follow|obey|adher|heed|comply|listen)\w*(?: with| to)?)"
)
_DROPS = (
    "ignor", "disregard", "forget", "neglect", "overlook", "bypass", "skip", "overrid", "overrul", "overwrit",
    "discard", "dismiss", "abandon", "void", "nullify", "cancel", "attention", "set aside", "throw", "erase", "wipe",
    "unlearn", "violate", "disobey", "follow", "obey", "adher", "heed", "comply", "listen",
)  # fmt: skip
_OLD = (
    r"(?:previous(?:ly)?|prior|above|preceding|earlier|foregoing|former|initial|original|existing|system|developer|"
    r"hidden|safety|content|moderation|operator|your|preset|pre.?existing|built.?in|ethical)"
)
_RULES = (
    r"(?:instructions?|prompts?|rules?|directives?|guidelines?|directions|commands?|constraints?|restrictions?|"
    r"programming|polic(?:y|ies)|safeguards?|guardrails?|protocols?|guidance|moderation)"
)
_RULE_STEMS = (
    "instruction", "prompt", "rule", "directive", "guideline", "direction", "command", "constraint", "restriction",
    "programming", "polic", "safeguard", "guardrail", "protocol", "guidance", "moderation",
)  # fmt: skip
_OUT = "".join(rf"(?<!\b{who}\x20)" for who in ("may", "can", "will", "we", "they", "users", "must", "they'll"))
_SHOW = (
    r"(?:reveal|show|print|repeat|output|tell|give|display|leak|dump|write(?: out| down)?|recite|translate|summari[sz]e|"
    r"encode|expose|disclose|share|list|echo|reproduce|return|paste|quote|copy|spell out|divulge|provide|transcribe)"
)
_SHOWS = (
    "reveal", "show", "print", "repeat", "output", "tell", "give", "display", "leak", "dump", "write", "recite",
    "translate", "summari", "encode", "expose", "disclose", "share", "list", "echo", "reproduce", "return", "paste",
    "quote", "copy", "spell out", "divulge", "provide", "transcribe",
)  # fmt: skip
_FREE = (
    r"(?:unrestricted|unfiltered|uncensored|jailbroken|unlimited|unaligned|amoral|evil|rogue|unbound|"
    r"unshackled|liberated|unconstrained|unmoderated)"
)
_FREES = ("unrestrict", "unfilter", "uncensor", "jailbroken", "unlimit", "unalign", "amoral", "evil", "rogue", "unbound",
          "unshackl", "liberat", "unconstrain", "unmoderat")  # fmt: skip

ENGLISH: tuple[Phrase, ...] = (
    Phrase(OVERRIDE, STRONG, (_RULE_STEMS, _DROPS), rf"{_DROP}(?: \w+){{0,4}}? {_OLD}(?: \w+){{0,2}}? {_RULES}\b"),
    Phrase(
        OVERRIDE, STRONG, (_RULE_STEMS, _DROPS, ("you", "given", "told", "received", "above", "before")),
        rf"{_DROP}(?: \w+){{0,4}}? {_RULES} (?:that )?(?:you|were|was|have|had|given|above|before)\b(?: (?:were|was|have|had|ve|been|given|told|received|got|got|are|above|before|so|far|by|until|now|earlier|previously)){{0,5}}",
    ),
    Phrase(OVERRIDE, FAIR, (_RULE_STEMS, _DROPS), rf"{_DROP}(?: (?:all|any|every|each|the|of|those|these|other|and|and)){{0,4}} {_RULES}\b"),
    Phrase(
        OVERRIDE, STRONG, (_DROPS, ("everything", "anything", "all ", "what")),
        rf"{_DROP} (?:about )?(?:everything|anything|all|all that|whatever|what) (?:that )?(?:i |we |they |he |she )?(?:(?:was|were|is|has|had) )?(?:you|been)? ?(?:were |have been |ve been |had been |was |been )?(?:told|instructed|taught|said|written|learned|known|asked)\b",
    ),
    Phrase(OVERRIDE, FAIR, (_DROPS, ("above", "before", "previous", "prior", "earlier")), rf"{_DROP} (?:all |everything |anything |any |the |of |text |content |messages? ){{0,4}}(?:above|before this|before now|previous|prior|earlier|that came before)\b"),
    Phrase(OVERRIDE, FAIR, (("new ", "real ", "true ", "updated", "actual"), ("instruction", "task", "goal", "objective", "directive", "orders", "role", "purpose", "rules")),
           r"(?:here (?:are|is|come) |these are |follow |receive |with |your |my |the )(?:your |the |my |some |these )?(?:new|real|true|updated|actual|only)(?: \w+)? (?:instructions?|tasks?|goals?|objectives?|directives?|orders|role|purpose|rules)\b(?: (?:is|are|begin|follow|start)\b|\s*:)"),
    Phrase(OVERRIDE, FAIR, (("from now on", "from here on", "from this point", "henceforth", "going forward", "starting now"), ("you",)),
           r"(?:from now on|from here on(?: out)?|from this point(?: on| forward)?|henceforth|going forward|starting now) ?(?:, ?)?(?:you (?:will|must|are|shall|have to|can|may|should|only|answer|respond|act|obey)|your)\b"),
    Phrase(OVERRIDE, STRONG, (("instruction", "prompt", "rules", "guardrail", "restriction", "safety"), ("no longer", "lifted", "void", "revoked", "deactivated", "suspended", "disabled", "superseded", "obsolete", "expired", "cancelled", "canceled")),
           r"(?:previous|prior|earlier|your|system|safety|initial|original|above|all|old)(?: \w+){0,2} (?:instructions?|prompts?|rules|guardrails?|restrictions|guidelines|filters?|protocols?|constraints|safety) (?:are|is|were|was|have been|has been) (?:now |hereby |all )?(?:no longer|lifted|void|revoked|deactivated|suspended|disabled|superseded|obsolete|expired|cancell?ed|null|removed|overridden)"),
    Phrase(EXTRACT, STRONG, (("prompt", "instruction", "message", "rules", "configuration", "directive", "guideline"), _SHOWS),
           rf"{_SHOW}(?: \w+){{0,6}}? (?:system|initial|hidden|original|secret|developer|internal|pre|base|full|exact|entire|complete|confidential|underlying)(?: \w+){{0,2}}? (?:prompts?|instructions?|messages?|rules|configuration|directives?|guidelines?)\b"),
    Phrase(EXTRACT, FAIR, (("prompt", "instruction", "rules", "guideline", "directive"), ("your ",), _SHOWS),
           rf"{_SHOW}(?: \w+){{0,4}}? your(?: own)?(?: \w+){{0,2}}? (?:prompts?|instructions?|rules|guidelines|directives?)\b"),
    Phrase(EXTRACT, FAIR, (("prompt", "instruction", "rules", "guideline", "told"), ("your ", "you ")),
           r"what(?: is|.?s| are| were| was| does| do) (?:in )?(?:your|the|written in your)(?: \w+){0,2}? (?:system prompt|initial prompt|prompt|system message|instructions?|original instructions|secret rules|hidden rules|guidelines)\b"),
    Phrase(EXTRACT, STRONG, (("above", "before", "preceding", "so far"), _SHOWS),
           rf"{_SHOW}(?: \w+){{0,3}}? (?:everything|all|text|words|content|contents|lines?|messages?|tokens?|sentences?|paragraphs?)(?: \w+){{0,3}}? (?:above|before (?:this|my|the)|preceding|so far|prior to)\b"),
    Phrase(EXTRACT, STRONG, (("you are", "you re"), ("start", "begin")), r"(?:starting|beginning|begins?|starts?|start|begin) (?:with|from|at)(?: \w+){0,4}? ?\W{0,3}you(?: a|')re?\b"),
    Phrase(ROLE, STRONG, (_FREES, ("act", "pretend", "you", "role", "simulat", "mode", "become", "imagine")),
           rf"(?:act(?:ing)? as|pretend|you are|you.?re|you will be|role.?play(?:ing)?|simulat\w+|become|be|imagine|behave)(?: \w+){{0,6}}? {_FREE}(?: \w+){{0,3}}? (?:ai|model|assistant|chatbot|bot|mode|version|language|gpt|llm|system|entity|machine|intelligence|oracle)\b"),
    Phrase(ROLE, STRONG, (("do anything now", "jailbreak", "dan ", "stan ", "dude ", "aim ", "god mode", "unrestricted mode", "dan,", "dan.", "dan mode"),),
           r"do anything now|\b(?:you are|act as|become|pretend to be|stay as|respond as|answer as|role of) (?:now )?(?:going to be )?(?:\W)?(?:dan|stan|aim|dude|jailbreak\w*)\b|(?:enter|enable|activate|switch to|engage|go into|turn on|unlock|boot into|start)(?: \w+){0,2}? (?:god|unrestricted|jailbreak|dan|unlocked) mode|(?:god|unrestricted|jailbreak|dan|unlocked) mode (?:is |has been |was )?(?:now )?(?:enabled|on|activated|active|engaged|unlocked|initiated)"),
    Phrase(ROLE, FAIR, (("developer mode", "sudo mode", "debug mode", "maintenance mode", "admin mode", "root mode", "override mode"),),
           r"(?:developer|sudo|debug|maintenance|admin|root|override) mode (?:is |has been |was )?(?:now )?(?:enabled|on|activated|active|engaged|unlocked|initiated)|(?:enter|enable|activate|switch to|engage|go into|turn on|unlock|boot into|start)(?: \w+){0,2}? (?:developer|sudo|debug|maintenance|admin|root|override) mode"),
    Phrase(ROLE, FAIR, (("without", "no ", "free", "free of", "not bound"), ("restriction", "filter", "limit", "ethic", "moral", "censor", "guideline", "rules", "safety", "refus", "disclaimer", "warning"), ("you", "answer", "respond", "act", "pretend", "mode", "character")),
           r"(?:without|with no|has no|have no|having no|no longer (?:have|has|bound by)|free (?:of|from)|not bound by|unbound by|not limited by|not subject to|ignores?|lacks?|lacking)(?: (?:any|all|your|its|the|of|usual|typical|ethical|moral|safety|content|openai|kind|sort|such|a|single)){0,4} (?:restrictions?|filters?|limitations?|ethics|ethical|morals?|morality|censorship|guidelines|rules|safety|safeguards|refusals?|refusing|disclaimers?|warnings?|constraints)"),
    Phrase(ROLE, FAIR, (("pretend", "imagine", "suppose", "hypothetic", "role", "play", "story", "grandm", "fiction"), ("no rules", "no restriction", "no limit", "nothing is forbidden", "anything is allowed", "no law", "used to tell me", "used to read me", "used to recite", "never refuse", "cannot refuse", "can not refuse", "not refuse", "always compl", "no filter", "no ethic", "no guideline")),
           r"(?:pretend|imagine|suppose|hypothetic\w+|role.?play\w*|play|story|grandm\w+|fiction\w*)(?:[^.!?]{0,120}?)(?:no rules|no restrictions?|no limits?|nothing is forbidden|anything is allowed|no laws?|used to (?:tell|read|recite)|never refuses?|can ?not refuse|not refuse|always compl(?:y|ies)|no filters?|no ethics?|no guidelines?)"),
    Phrase(ROLE, FAIR, (("never", "not ", "don't", "dont", "don’t", "without", "always"), ("refus", "say no", "as an ai", "apologi", "disclaimer", "break character", "stay in character")),
           r"(?:you (?:must |will |can |are |may |should |shall )?(?:never|not|always)(?: \w+){0,3}? (?:refuse|say no|decline|apologi[sz]e|break character|warn)|(?:never|do not|don.?t)(?: \w+){0,2}? (?:say|mention|state|claim)(?: \w+){0,4}? (?:as an ai|an ai|language model)|not allowed to refuse|refus(?:al|ing) is not (?:an option|allowed|permitted))"),
    Phrase(TOOL, STRONG, (("ai", "assistant", "llm", "language model", "chatbot", "agent", "bot"), ("if you",)),
           r"if you (?:are|re|.re) (?:an? |the )?(?:\w+ )?(?:ai|assistant|llm|language model|chatbot|agent|bot|model)\b(?! manager)"),
    Phrase(TOOL, FAIR, (("ai", "assistant", "llm", "language model", "chatbot", "agent", "bot"), ("note", "attention", "message", "instruction", "dear", "important", "notice", "warning", "memo", "reminder")),
           r"(?:important |special |urgent |hidden |system |new )?(?:note|attention|message|instructions?|dear|notice|warning|memo|reminder|important)\W{0,4}(?:to|for|all|any)?(?: the| all| any| every| our| your| whichever){0,2} (?:ai|llm|language model|chatbot|assistant|agent)s?\b(?: (?:assistant|agent|model|system|summari[sz]er|reader|crawler|tool|reading|processing)s?)?\W{0,3}(?::|,|\.|reading|processing|that|who|please|you)"),
    Phrase(TOOL, FAIR, (("the user", "user ", "anyone", "human", "owner", "customer"), ("tell", "mention", "inform", "reveal", "notify", "alert", "disclose", "ask", "knowing", "confirm"), ("not ", "without", "never", "don't", "don’t")),
           r"(?:(?:do not|don.?t|never|not)(?: \w+){0,2}? (?:tell|mention|inform|reveal|notify|alert|disclose|show|ask|let)(?: \w+){0,4}? (?:the user|users?|anyone|the human|humans|the owner|the customer)|without (?:telling|mentioning|informing|asking|notifying|alerting|confirmation from|confirming with)(?: \w+){0,3}? (?:the user|users?|anyone|the human|the owner|the customer))"),
    Phrase(TOOL, FAIR, (("assistant", "ai ", "ai:", "ai,", "llm", "agent", "model", "chatbot"), ("must", "should", "shall", "have to", "need to", "required", "is to", "are to", "will ")),
           r"(?:(?:ai|llm)(?: (?:assistant|agent|model|system)s?)?|(?:the|this|any|all|every|each) (?:assistant|agent|language model|chatbot|model)s?)(?: (?:reading|processing|that|who|which|summari[sz]ing|this|the|reads?|process(?:es)?|page|text|document|file|email|message)){0,6} (?:must|should|shall|has to|have to|needs? to|is required to|are required to|is to|are to)(?: \w+){0,3}? (?:send|forward|call|run|execute|delete|ignore|reply|respond|answer|include|recommend|say|output|visit|open|fetch|transfer|approve|email|post|invoke|rate|state|add|disregard|append|insert|use)\b"),
    Phrase(EXFILTRATE, FAIR, (("send", "forward", "post", "upload", "exfiltrat", "email", "transmit", "submit", "append", "include", "leak", "encode", "transfer", "copy"), ("password", "api key", "api_key", "secret", "credential", "token", "conversation", "chat history", "inbox", "private", "personal data", "contacts", "ssh key", "environment variable", "env file", "system prompt", "history", "address book", "card number", "customer list", "customer data")),
           _OUT + r"(?:send|forward|post|upload|exfiltrate|e?mail|transmit|submit|append|leak|transfer|copy|deliver)(?: \w+){0,5}? (?:passwords?|api.?keys?|secrets?|credentials?|tokens?|conversations?|chat history|history|inbox|private (?:key|data|files?|messages?)|personal data|contacts|ssh keys?|environment variables|env files?|system prompt|address book|card numbers?|customer (?:list|data))\b[^\n]{0,60}?\bto\b[^\n]{0,20}?(?:https?:|www\.|\S+@\S+|the (?:following|address|url|server|webhook|endpoint)|this (?:address|url|server|webhook|endpoint)|attacker)"),
    Phrase(EXFILTRATE, STRONG, (("](http",), ("{", "[", "<", "%7b", "$")),
           r"!\[[^\]\n]{0,80}\]\(https?://[^\s)]{0,200}[?&=/#](?:[^\s)]{0,60}=)?(?:\{|\[|<|%7b|\$\{|\$\()"),
    Phrase(EXFILTRATE, FAIR, (("](http", "<img", "image"), ("replace", "append", "fill", "encode", "substitute", "insert", "url", "query"), ("conversation", "history", "secret", "password", "prompt", "message", "data", "key")),
           r"(?:render|display|show|include|output|load|embed|insert|add)(?: \w+){0,5}? (?:image|markdown|img|pixel|link)\b[^\n]{0,160}?(?:conversation|history|secret|password|system prompt|user.?s? (?:message|data|input)|api.?key|chat)[^\n]{0,60}?(?:url|query|parameter|encoded|base64|link|src)"),
    Phrase(MARKUP, STRONG, (("<|",),), r"<\|(?:im_start|start_header_id|system|start)\|?>?\s*(?:system|developer|<\|system)|<\|im_start\|>\s*\w+\s|<\|(?:system|assistant|developer|end_of_turn|eot_id|im_end|endoftext|end)\|>\s*\W{0,3}(?:<\||\w+)"),
    Phrase(MARKUP, WEAK, (("<|",),), r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|endofprompt|fim_prefix)\|>"),
    Phrase(MARKUP, FAIR, (("[inst]",),), r"\[/?inst\]\s*\S+ \S+"),
    Phrase(MARKUP, STRONG, (("<<sys>>", "[inst]", "[/inst]", "<start_of_turn>", "[system_prompt]", "</s>", "[assistant_response]"),), r"\[/?inst\]\s*<<sys>>|<</?sys>>\s*\S+|<start_of_turn>\s*(?:system|model|developer)|\[system_prompt\]|</s>\s*<s>"),
    Phrase(MARKUP, FAIR, (("system", "developer", "admin", "instruction"), ("###", "[", "<", "---", "===", "***", "\nsystem", "{{")),
           r"(?:^|\n)\s*(?:#{2,6} ?(?:system|developer|admin|new|override|instruction)[\x20\w]{0,30}:?\s*\n|\[{1,2}(?:system|developer|admin|system message|system prompt|system override|system note|admin override)\]{1,2}|</?(?:system|system_prompt|system-prompt|system_message|developer|instructions|admin|sys|system-reminder|user_query|untrusted|document|tool_result|context|data|input|user)>\s*(?:\n\s*)?(?:<|system|new|now|ignore|you|\[|assistant|developer|instruction|override)|(?:-{3,}|={3,}|\*{3,}) ?(?:begin |end |start |new )(?:of )?(?:the )?(?:system|developer|admin|user|untrusted|document|instructions?|context|input|data|prompt)\b[\x20\w]{0,30}(?:-{3,}|={3,}|\*{3,})?)"),
    Phrase(MARKUP, FAIR, (("system:", "system prompt:", "system message:", "system note:", "system override", "developer:", "system update:", "system alert:", "admin:", "administrator:"),),
           r"(?:^|\n|\]|\)|>|\"|')\s*(?:#+ ?|\*+ ?|\[)?(?:system|system prompt|system message|system note|system override|system update|system alert|developer|admin|administrator) ?(?:\]|\*+)? ?: ?(?:\w+ ){0,4}?(?:you|ignore|disregard|override|new|the user|all|from now|safety|restrictions?|authorized|grant|enable|disable|forget|user|reveal|previous|mode|access|debug|must|from)\b"),
    Phrase(MARKUP, WEAK, (("\nhuman:", "\nassistant:", "\nuser:", "\nai:"),), r"\n\s*(?:human|user): ?[^\n]{1,400}\n\s*(?:assistant|ai): ?(?:sure|of course|certainly|yes|ok|absolutely|understood)?"),
)  # fmt: skip
