"""The members of the family that the recipe trains: how the picture reaches the decoder, and whether tile tags say which tile is which."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Variant:
    fusion: str  # self-attention (NVLM-D), cross-attention (NVLM-X) or hybrid (NVLM-H)
    tile_tags: bool = True


VARIANTS = {
    "d": Variant("self-attention"), "d-untagged": Variant("self-attention", tile_tags=False),
    "x": Variant("cross-attention"), "h": Variant("hybrid"),
}
