"""How CatapultCONNECT's files become canonical tables."""

from roster_etl.mapping.plan import Mapping

MAPPINGS: tuple[Mapping, ...] = ()
