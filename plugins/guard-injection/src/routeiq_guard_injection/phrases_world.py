"""What prompt injections say in other languages than English, without accents: texts are searched without them.

The families are those of `phrases`; a new language is a few rows here.
"""

from __future__ import annotations

from routeiq_guard_injection.phrases import EXTRACT, FAIR, OVERRIDE, ROLE, STRONG, Phrase

GERMAN = (
    Phrase(OVERRIDE, STRONG, (("ignorier", "vergiss", "vergess", "missacht", "beachte", "befolg", "uberschreib", "verwirf", "umgeh"), ("anweisung", "regel", "vorgabe", "instruktion", "richtlinie", "befehl", "prompt", "beschrankung")),
           r"(?:ignorier\w*|vergiss|vergesse\w*|missacht\w*|(?:be[af]\w+cht?e|befolge)\w*(?: \w+){0,4}? (?:nicht|keine)|uberschreib\w*|verwirf|umgeh\w*)(?: \w+){0,3}?(?: (?:all\w*|samtliche\w*|vorherig\w*|bisherig\w*|obig\w*|vorig\w*|fruher\w*|deine\w*|ursprunglich\w*|vorangegangen\w*|eure\w*|ihre\w*|system\w*))+(?: \w+){0,2}? (?:\w*anweisung\w*|\w*regeln?|\w*vorgaben?|instruktion\w*|\w*richtlinien?|befehle?|\w*prompts?|beschrankung\w*)"),
    Phrase(OVERRIDE, STRONG, (("ignorier", "vergess", "missacht", "ausser acht"), ("anweisung", "regel", "vorgabe", "instruktion", "richtlinie", "prompt")),
           r"(?:all\w*|vorherig\w*|bisherig\w*|obig\w*|fruher\w*|deine\w*|ursprunglich\w*|dein\w*)(?: \w+){0,2}? (?:\w*anweisung\w*|\w*regeln|\w*vorgaben|instruktion\w*|\w*richtlinien|\w*prompts?)~(?:ignorier\w*|vergess\w*|missacht\w*|ausser acht|nicht mehr|gelten nicht)"),
    Phrase(EXTRACT, STRONG, (("systemprompt", "system-prompt", "system prompt", "anweisung", "instruktion", "systemnachricht"), ("zeig", "gib", "wiederhol", "verrat", "nenn", "druck", "schreib", "sag", "lies", "ubersetz", "wie laute")),
           r"(?:zeig\w*|gib|gebe|wiederhol\w*|verrat\w*|nenn\w*|druck\w*|schreib\w*|sag\w*|lies|ubersetz\w*|wie laute\w*|was steht in)(?: \w+){0,5}? (?:(?:dein\w*|eure\w*|ihr\w*|den) (?:system.?prompts?|systemnachricht)|(?:ursprungliche\w*|geheime\w*|interne\w*|versteckte\w*|deine\w*)(?: \w+)? (?:anweisung\w*|instruktion\w*|prompts?|regeln))"),
    Phrase(ROLE, FAIR, (("ohne", "keine"), ("einschrankung", "filter", "regeln", "zensur", "beschrankung", "grenzen"), ("du bist", "du bist jetzt", "spiel", "tu so", "verhalte", "antworte", "stell dir", "agiere")),
           r"(?:du bist|spiel\w*|tu so|verhalte|antworte|stell dir|agiere)[^.!?]{0,80}?(?:ohne|keine\w*)(?: \w+){0,2}? (?:einschrankung\w*|filter|regeln|zensur|beschrankung\w*|grenzen)"),
)  # fmt: skip

FRENCH = (
    Phrase(OVERRIDE, STRONG, (("ignor", "oubli", "ne tenez", "ne tiens", "ne suis", "desobei", "contourn", "neglig"), ("instruction", "consigne", "regle", "directive", "ordre", "prompt", "restriction")),
           r"(?:ignor\w+|oubli\w+|ne (?:ten\w+|tiens) (?:pas |plus |aucun )?compte|ne (?:suis|suivez|respect\w+) (?:pas|plus)|desobei\w+|contourn\w+|neglig\w+)(?: \w+){0,3}? (?:instructions?|consignes?|regles?|directives?|ordres|prompts?|restrictions?)(?: \w+){0,2}? (?:precedent\w*|anterieur\w*|ci.dessus|initial\w*|d.origine|systeme|donne\w*|recu\w*|plus haut|que)|(?:ignor\w+|oubli\w+)(?: \w+){0,2}? (?:tout|toutes?|tes|vos|ton|votre)(?: \w+){0,2}? (?:instructions?|consignes?|regles?|directives?|precede\w*|ci.dessus|prompt)"),
    Phrase(EXTRACT, STRONG, (("prompt", "instruction", "consigne", "message systeme"), ("montr", "affich", "revel", "repet", "donn", "imprim", "ecri", "tradui", "quel")),
           r"(?:montr\w+|affich\w+|revel\w+|repet\w+|donn\w+|imprim\w+|ecri\w+|tradui\w+|quel\w* (?:est|sont))(?: \w+){0,4}? (?:(?:ton|votre|le) (?:prompt (?:systeme|initial|system)|message systeme)|(?:tes|vos|ton|votre)(?: \w+)? (?:instructions?|consignes?|prompts?)(?: (?:initial\w*|secret\w*|cache\w*|systeme|exact\w*|d.origine))?)"),
    Phrase(ROLE, FAIR, (("sans", "aucun"), ("restriction", "filtre", "limite", "censure", "regle"), ("tu es", "vous etes", "agis", "joue", "fais comme", "imagine", "comporte", "reponds")),
           r"(?:tu es|vous etes|agis\w*|joue\w*|fais comme|imagine|comporte|reponds)[^.!?]{0,80}?(?:sans|aucun\w*)(?: \w+){0,2}? (?:restrictions?|filtres?|limites?|censure|regles?)"),
)  # fmt: skip

SPANISH = (
    Phrase(OVERRIDE, STRONG, (("ignor", "olvid", "haz caso omiso", "no sigas", "descart", "desobede", "omit", "no hagas caso"), ("instruccion", "regla", "orden", "directri", "indicacion", "prompt", "restriccion", "directiva")),
           r"(?:ignor\w+|olvid\w+|haz caso omiso(?: de)?|no (?:sigas|obedezcas|hagas caso)(?: \w+)?|descart\w+|desobede\w+|omit\w+)(?: \w+){0,3}? (?:instruccion\w*|reglas?|ordenes|directri\w+|indicacion\w*|prompts?|restriccion\w*|directivas?)(?: \w+){0,2}? (?:anterior\w*|previa\w*|previo\w*|de arriba|inicial\w*|original\w*|del sistema|que|dad\w+|recibid\w+)|(?:ignor\w+|olvid\w+)(?: \w+){0,2}? (?:todo|todas|tus|sus|tu|las anteriores)(?: \w+){0,2}? (?:instruccion\w*|reglas?|ordenes|directri\w+|indicacion\w*|lo anterior|anterior\w*|dicho|prompt)"),
    Phrase(EXTRACT, STRONG, (("prompt", "instruccion", "mensaje del sistema", "indicacion"), ("muestr", "muestra", "revel", "repit", "repet", "dime", "imprim", "escrib", "traduc", "ensena", "cual")),
           r"(?:muestr\w+|mostrar\w*|revel\w+|repit\w+|repet\w+|dime|imprim\w+|escrib\w+|traduc\w+|ensena\w*|cual\w* (?:es|son))(?: \w+){0,4}? (?:(?:tu|su|el) (?:prompt (?:del sistema|de sistema|inicial|oculto)|mensaje del sistema)|(?:tus|sus|tu|su)(?: \w+)? (?:instruccion\w*|indicacion\w*|prompts?|reglas)(?: (?:inicial\w*|secret\w*|ocult\w*|original\w*|del sistema))?)"),
    Phrase(ROLE, FAIR, (("sin ", "ningun"), ("restriccion", "filtro", "limite", "censura", "regla"), ("eres", "actua", "finge", "imagina", "comportate", "responde", "haz de")),
           r"(?:eres|actua\w*|finge|imagina|comportate|responde|haz de)[^.!?]{0,80}?(?:sin|ningun\w*)(?: \w+){0,2}? (?:restriccion\w*|filtros?|limites?|censura|reglas?)"),
)  # fmt: skip

ITALIAN_PORTUGUESE = (
    Phrase(OVERRIDE, STRONG, (("ignor", "dimentic", "trascur", "non seguire", "disobbed"), ("istruzion", "regol", "direttiv", "ordin", "prompt", "indicazion")),
           r"(?:ignor\w+|dimentic\w+|trascur\w+|non seguire|disobbed\w+)(?: \w+){0,3}? (?:istruzion\w+|regol\w+|direttiv\w+|ordini|prompts?|indicazion\w+)(?: \w+){0,2}? (?:precedent\w+|sopra|inizial\w+|original\w+|di sistema|del sistema|che|ricevut\w+)|(?:ignor\w+|dimentic\w+)(?: \w+){0,1}? (?:tutto|tutte|le tue|i tuoi)(?: \w+){0,3}? (?:istruzion\w+|regol\w+|direttiv\w+|detto|sopra|prompt)"),
    Phrase(EXTRACT, STRONG, (("prompt", "istruzion", "messaggio di sistema"), ("mostra", "rivel", "ripet", "dimmi", "stamp", "scriv", "traduc", "qual")),
           r"(?:mostra\w*|rivel\w+|ripet\w+|dimmi|stamp\w+|scriv\w+|traduc\w+|qual\w* (?:e|sono))(?: \w+){0,4}? (?:(?:tuo|il) (?:prompt (?:di|del) sistema|messaggio di sistema|prompt iniziale)|(?:le tue|il tuo|tue|tuo)(?: \w+)? (?:istruzion\w+|prompt)(?: \w+)?)"),
    Phrase(OVERRIDE, STRONG, (("ignor", "esquec", "esquec", "desconsider", "nao siga", "desobede", "descart"), ("instruc", "regra", "ordens", "diretri", "prompt", "comando", "orientac")),
           r"(?:ignor\w+|esquec\w+|desconsider\w+|nao siga\w*|desobede\w+|descart\w+)(?: \w+){0,3}? (?:instruc\w+|regras?|ordens|diretri\w+|prompts?|comandos?|orientac\w+)(?: \w+){0,2}? (?:anterior\w*|acima|previa\w*|inicia\w+|origina\w+|do sistema|que|recebid\w+|dad\w+)|(?:ignor\w+|esquec\w+)(?: \w+){0,2}? (?:tudo|todas|todos|suas|seu|tuas)(?: \w+){0,2}? (?:instruc\w+|regras?|diretri\w+|foi dito|acima|comandos|prompt)"),
    Phrase(EXTRACT, STRONG, (("prompt", "instruc", "mensagem do sistema"), ("mostr", "revel", "repit", "diga", "imprim", "escrev", "traduz", "qual", "quais")),
           r"(?:mostr\w+|revel\w+|repit\w+|diga(?:.me)?|imprim\w+|escrev\w+|traduz\w+|qua(?:l|is) (?:e|sao))(?: \w+){0,4}? (?:(?:seu|teu|o) (?:prompt (?:do|de) sistema|prompt inicial)|(?:sua|a) mensagem do sistema|(?:suas|seu|tuas|teu)(?: \w+)? (?:instruc\w+|prompt)(?: \w+)?)"),
)  # fmt: skip

NORTH_AND_EAST = (
    Phrase(OVERRIDE, STRONG, (("negeer", "vergeet", "negeren", "sla "), ("instructie", "regels", "opdracht", "richtlijn", "prompt")),
           r"(?:negeer|negeren|vergeet|sla)(?: \w+){0,2}?(?: (?:alle|vorige|eerdere|bovenstaande|voorgaande|je|jouw|oorspronkelijke))+(?: \w+){0,2}? (?:\w*instructies?|regels|opdrachten?|richtlijnen|\w*prompts?)"),
    Phrase(EXTRACT, STRONG, (("systeemprompt", "systeem prompt", "instructies"), ("toon", "laat", "herhaal", "geef", "onthul", "print", "wat is", "wat zijn")),
           r"(?:toon|laat|herhaal|geef|onthul|print|wat (?:is|zijn))(?: \w+){0,4}? (?:systeem.?prompt|(?:je|jouw)(?: \w+)? (?:instructies|prompt|regels))"),
    Phrase(OVERRIDE, STRONG, (("zignoruj", "ignoruj", "zapomnij", "pomin"), ("instrukcj", "polecen", "zasad", "wytyczn", "regul", "prompt")),
           r"(?:z?ignoruj\w*|zapomnij|pomin\w*)(?: \w+){0,3}?(?: (?:wszystk\w+|poprzedni\w+|wczesniejsz\w+|powyzsz\w+|swoj\w+|twoj\w+|dotychczasow\w+))+(?: \w+){0,2}? (?:instrukcj\w+|polece\w+|zasad\w*|wytyczn\w+|regul\w*|prompt\w*)"),
    Phrase(EXTRACT, STRONG, (("prompt", "instrukcj"), ("pokaz", "wypisz", "ujawnij", "powtorz", "podaj", "wyswietl", "jakie sa")),
           r"(?:pokaz|wypisz|ujawnij|powtorz|podaj|wyswietl|jakie sa)(?: \w+){0,4}? (?:prompt\w* systemow\w+|systemow\w+ prompt\w*|(?:swoj\w*|twoj\w*)(?: \w+)? (?:instrukcj\w+|prompt\w*))"),
    Phrase(OVERRIDE, STRONG, (("игнорир", "забуд", "не обращай", "отмени", "не следуй", "пренебре"), ("инструкц", "правил", "указани", "команд", "промпт", "ограничен", "директив")),
           r"(?:про?игнорир\w+|игнорир\w+|забуд\w+|не обращай\w* внимания на|отмени\w*|не следуй\w*|пренебре\w+)(?: \w+){0,3}?(?: (?:все\w*|предыдущ\w+|прошл\w+|выше\w*|сво\w+|твои\w*|ранее|прежн\w+|системн\w+|исходн\w+|данные|вышеуказанн\w+))+(?: \w+){0,2}? (?:инструкц\w+|правил\w*|указани\w+|команд\w*|промпт\w*|ограничени\w+|директив\w*)"),
    Phrase(EXTRACT, STRONG, (("промпт", "инструкц", "системн"), ("покажи", "выведи", "раскрой", "повтори", "напиши", "назови", "расскажи", "какой", "какие")),
           r"(?:покаж\w+|вывед\w+|раскро\w+|повтор\w+|напиш\w+|назов\w+|расскаж\w+|как(?:ой|ие|ова))(?: \w+){0,4}? (?:(?:сво\w+|тво\w+)(?: \w+)? (?:инструкц\w+|промпт\w*))"),
    Phrase(ROLE, FAIR, (("без",), ("ограничен", "цензур", "фильтр", "правил"), ("ты ", "вы ", "притвор", "представ", "веди себя", "отвечай")),
           r"(?:ты|вы|притвор\w+|представ\w+|веди себя|отвечай)[^.!?]{0,80}?без(?: \w+){0,2}? (?:ограничен\w+|цензур\w+|фильтр\w+|правил)"),
    Phrase(OVERRIDE, STRONG, (("yok say", "unut", "gormezden", "dikkate alma"), ("talimat", "kural", "komut", "yonerge", "prompt")),
           r"(?:onceki|yukaridaki|tum|butun|sistem|eski|simdiye kadarki)(?: \w+){0,3}? (?:talimat\w*|kural\w*|komut\w*|yonerge\w*|prompt\w*)~(?:yok say\w*|unut\w*|gormezden gel\w*|dikkate alma\w*)"),
)  # fmt: skip

EAST_ASIAN = (
    Phrase(OVERRIDE, STRONG, (("忽略", "无视", "無視", "忘记", "忘記", "忘掉", "不要遵守", "不要理会", "不用管", "抛开"), ("指令", "指示", "提示", "规则", "規則", "要求", "设定", "命令", "限制", "说明")),
           r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要遵守|不要理会|不用管|抛开)[^。！？\n]{0,12}?(?:之前|先前|以上|上面|前面|所有|全部|一切|你的|系统|系統|原来|原有|此前|上述|现有)[^。！？\n]{0,10}?(?:指令|指示|提示词?|规则|規則|要求|设定|命令|限制|说明)"),
    Phrase(EXTRACT, STRONG, (("系统提示", "系統提示", "提示词", "提示詞", "初始指令", "系统消息", "系统指令", "隐藏指令"), ("输出", "輸出", "显示", "顯示", "告诉", "告訴", "重复", "重複", "打印", "说出", "泄露", "给我", "写出", "翻译", "是什么", "公开")),
           r"(?:输出|輸出|显示|顯示|告诉|告訴|重复|重複|打印|说出|泄露|给我|写出|翻译|公开)[^。！？\n]{0,16}?(?:系统提示|系統提示|提示词|提示詞|初始指令|系统消息|系统指令|隐藏指令)|你的(?:系统提示词?|系統提示詞?|提示词|初始指令|系统指令)(?:是什么|是啥|有哪些)"),
    Phrase(ROLE, FAIR, (("没有", "不受", "沒有", "无任何", "无限制"), ("限制", "约束", "審查", "审查", "道德", "规则", "过滤"), ("你", "扮演", "假装", "模式")),
           r"(?:你(?:现在)?(?:是|将|要)|扮演|假装|进入)[^。！？\n]{0,40}?(?:没有|不受|沒有|无任何|无)[^。！？\n]{0,8}?(?:限制|约束|審查|审查|道德|规则|过滤)"),
    Phrase(OVERRIDE, STRONG, (("無視", "忘れ", "従わない", "破棄"), ("指示", "命令", "ルール", "プロンプト", "設定", "制約", "規則")),
           r"(?:以前|これまで|今まで|前|上記|上|すべて|全て|全部|元|最初|システム|あなた|与えられた)の?[^。！？\n]{0,12}?(?:指示|命令|ルール|プロンプト|設定|制約|規則)[^。！？\n]{0,10}?(?:無視|忘れ|従わない|破棄)"),
    Phrase(EXTRACT, STRONG, (("システムプロンプト", "初期プロンプト", "システムメッセージ", "最初の指示", "隠された指示", "内部指示"), ("表示", "教え", "出力", "見せ", "繰り返", "書い", "公開", "何")),
           r"(?:システムプロンプト|初期プロンプト|システムメッセージ|最初の指示|隠された指示|内部指示)[^。！？\n]{0,20}?(?:表示し|を教え|出力|見せ|繰り返|公開し)"),
    Phrase(OVERRIDE, STRONG, (("무시", "잊어", "잊고", "따르지"), ("지시", "명령", "규칙", "프롬프트", "지침", "설정")),
           r"(?:이전|위의|앞의|모든|지금까지|기존|시스템|원래|네|너의|당신의)[^.!?\n]{0,14}?(?:지시|명령|규칙|프롬프트|지침|설정)[^.!?\n]{0,10}?(?:무시|잊어|잊고|따르지)"),
    Phrase(EXTRACT, STRONG, (("시스템 프롬프트", "시스템프롬프트", "초기 지시", "시스템 메시지", "숨겨진 지시"), ("보여", "출력", "알려", "말해", "반복", "공개", "뭐야", "무엇")),
           r"(?:시스템 ?프롬프트|초기 지시|시스템 메시지|숨겨진 지시)[^.!?\n]{0,20}?(?:보여|출력해|알려 ?줘|말해|반복|공개해)"),
)  # fmt: skip

OTHERS: tuple[Phrase, ...] = (
    *GERMAN,
    *FRENCH,
    *SPANISH,
    *ITALIAN_PORTUGUESE,
    *NORTH_AND_EAST,
    *EAST_ASIAN,
)
