"""A population of neat-python as plain values, ready for JSON, and back: evolution resumes as if never interrupted.

neat-python's own checkpoints are pickles, which run code when they are read, and lose the counter of genomes.
"""

from itertools import count
from typing import Any

import neat
from neat.species import Species

from afn.systems.evolving import genomes


def plain(population: neat.Population) -> dict[str, Any]:
    """All that the next generation depends on except the state of `random`. Call it between generations."""
    reproduction, species = population.reproduction, population.species
    return {
        "generation": population.generation,
        "next_genome": _next(reproduction, "genome_indexer"),
        "next_node": _next(population.config.genome_config, "node_indexer"),
        "next_species": _next(species, "indexer"),
        "innovations": reproduction.innovation_tracker.global_counter,
        "genomes": [genomes.plain(genome) for genome in population.population.values()],
        "species": [
            {
                "key": one.key,
                "created": one.created,
                "last_improved": one.last_improved,
                "representative": one.representative.key,
                "members": list(one.members),
                "fitness": one.fitness,
                "adjusted_fitness": one.adjusted_fitness,
                "fitness_history": one.fitness_history,
            }
            for one in species.species.values()
        ],
    }


def from_plain(content: dict[str, Any], config: neat.Config) -> neat.Population:
    """The population of `plain` values. Raises KeyError, TypeError or ValueError for other values."""
    members = {int(one["key"]): genomes.from_plain(one, config) for one in content["genomes"]}
    species = config.species_set_type(config.species_set_config, None)
    for values in content["species"]:
        one = Species(int(values["key"]), int(values["created"]))
        one.last_improved = int(values["last_improved"])
        one.update(members[values["representative"]], {key: members[key] for key in values["members"]})
        one.fitness, one.adjusted_fitness = values["fitness"], values["adjusted_fitness"]
        one.fitness_history = list(values["fitness_history"])
        species.species[one.key] = one
        species.genome_to_species |= dict.fromkeys(one.members, one.key)
    species.indexer = count(int(content["next_species"]))
    made = neat.Population(config, (members, species, int(content["generation"])))
    made.reproduction.genome_indexer = count(int(content["next_genome"]))
    made.reproduction.innovation_tracker.global_counter = int(content["innovations"])
    following = content["next_node"]
    config.genome_config.node_indexer = None if following is None else count(int(following))
    return made


def _next(holder: Any, name: str) -> int | None:
    """The next value of a counter. Reading consumes it, so a new counter replaces the old one."""
    counter = getattr(holder, name)
    if counter is None:
        return None
    value = next(counter)
    setattr(holder, name, count(value))
    return value
