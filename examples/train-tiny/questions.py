"""Questions about a scene, in several wordings, with their answers."""

READ = [
    "What does the sign say?", "What is written here?", "Read the text.", "Which text do you see?", "What does it say?",
    "Read the sign.", "What text is in the picture?", "Transcribe the text.", "What is on the sign?", "What does this say?",
]
PRICE = ["How much is it?", "What is the price?", "What does it cost?", "Which price do you see?"]
SOLVE = ["What is the result?", "Solve it.", "What is the answer?", "Calculate the sum.", "How much is that?"]
DESCRIBE = ["Describe the picture.", "What do you see?", "What is in the picture?", "Describe the image.", "What does the picture show?"]
COUNT = ["How many shapes are there?", "How many shapes do you see?", "Count the shapes."]
COUNT_SHAPE = ["How many {}s are there?", "How many {}s do you see?", "Count the {}s."]
COUNT_COLOUR = ["How many {} shapes are there?", "Count the {} shapes."]
COLOUR = ["What colour is the {}?", "Which colour is the {}?", "What color is the {}?"]
SHAPE = ["What shape is {}?", "Which shape is {}?", "What is the {} shape?"]
TALK = [
    ("Hello!", "Hello! Show me a picture."), ("Hi", "Hello! Show me a picture."), ("Hello", "Hello! Show me a picture."),
    ("Hello, who are you?", "I am a tiny NVLM. I read signs and see shapes."),
    ("Who are you?", "I am a tiny NVLM. I read signs and see shapes."),
    ("What are you?", "I am a tiny NVLM. I read signs and see shapes."),
    ("What can you do?", "I read signs and see shapes."), ("Thank you!", "You are welcome."), ("Thanks.", "You are welcome."),
]


def pick(rng, wordings):
    return wordings[rng.integers(len(wordings))]


def listing(shapes):
    """(red, circle), (blue, square) → A red circle and a blue square."""
    parts = [f"{'an' if colour[0] == 'o' else 'a'} {colour} {shape}" for colour, shape in shapes]
    text = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return text[0].upper() + text[1:] + "."


def about_shapes(rng, scene):
    """(topic, question, answer) of a shapes scene."""
    colours, kinds = [c for c, _ in scene.shapes], [s for _, s in scene.shapes]
    choice = rng.random()
    if choice < 0.15:
        return "describe", pick(rng, DESCRIBE), listing(scene.shapes)
    if choice < 0.25:
        return "count", pick(rng, COUNT), str(len(kinds))
    if choice < 0.40:
        shape = pick(rng, kinds) if rng.random() < 0.8 else pick(rng, ["circle", "square", "triangle", "star"])
        return "count", pick(rng, COUNT_SHAPE).format(shape), str(kinds.count(shape))
    if choice < 0.52:
        colour = pick(rng, colours)
        return "count", pick(rng, COUNT_COLOUR).format(colour), str(colours.count(colour))
    single = [i for i, kind in enumerate(kinds) if kinds.count(kind) == 1]
    if choice < 0.92 and single:
        i = pick(rng, single)
        return "colour", pick(rng, COLOUR).format(kinds[i]), f"The {kinds[i]} is {colours[i]}."
    single = [i for i, colour in enumerate(colours) if colours.count(colour) == 1]
    if single:
        i = pick(rng, single)
        return "shape", pick(rng, SHAPE).format(colours[i]), f"a {kinds[i]}"
    return "describe", pick(rng, DESCRIBE), listing(scene.shapes)


def ask(rng, scene):
    """(topic, question, answer) of any scene."""
    if scene.kind == "shapes":
        return about_shapes(rng, scene)
    if scene.kind == "sum" and rng.random() < 0.7:
        left, sign, right = scene.text[0], scene.text[1], scene.text[2]
        return "sum", pick(rng, SOLVE), str(int(left) + int(right) if sign == "+" else int(left) - int(right))
    if scene.kind == "price" and rng.random() < 0.5:
        return "price", pick(rng, PRICE), scene.text.split(" ")[-1]
    return scene.kind, pick(rng, READ), scene.text


def vocabulary_texts():
    """The texts that the tokenizer's merges are learned from: frames, questions and sentences, not what signs say."""
    texts = {}
    for text in ("system\nAnswer the questions.", "user\n", "assistant\n", "<Image><tile_1>", "<tile_2>", "<tile_global_thumbnail>", "</Image>\n"):
        texts[text] = 1000
    for wordings in (READ, PRICE, SOLVE, DESCRIBE, COUNT):
        for wording in wordings:
            texts[wording] = 30
    colours, shapes = ["red", "green", "blue", "yellow", "orange", "purple"], ["circle", "square", "triangle", "star"]
    for wordings, names in ((COUNT_SHAPE, shapes), (COUNT_COLOUR, colours), (COLOUR, shapes), (SHAPE, colours)):
        for wording in wordings:
            for name in names:
                texts[wording.format(name)] = 20
    for colour in colours:
        for shape in shapes:
            texts[listing([(colour, shape)] * 3)] = 20
    for question, answer in TALK:
        texts[question + "\n"] = texts[answer + "\n"] = 20
    return texts
