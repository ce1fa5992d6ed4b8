"""neat-python's configuration, genomes and reproduction for networks over a waveform; genomes as plain values."""

import configparser
import copy
from pathlib import Path
from typing import Any

import neat
import numpy as np

from afn.common.errors import UserError
from afn.systems.evolving.rnn import ACTIVATIONS, Network

INPUT = -1  # the key of the sample; keys of nodes start with the outputs
GATE, SCORE = 0, 1
FIXED = {"num_inputs": 1, "num_outputs": 2, "feed_forward": False, "aggregation_options": ["sum"]}
OUTPUT_ACTIVATION = "sigmoid"  # scores lie in 0…1, and the gate opens at 0.5


class Genome(neat.DefaultGenome):
    """A genome whose outputs stay sigmoids while the activations of hidden nodes mutate."""

    def configure_new(self, config: Any) -> None:
        super().configure_new(config)
        self._hold_outputs(config)

    def mutate(self, config: Any) -> None:
        super().mutate(config)
        self._hold_outputs(config)

    def _hold_outputs(self, config: Any) -> None:
        for key in config.output_keys:
            self.nodes[key].activation = OUTPUT_ACTIVATION


class Reproduction(neat.DefaultReproduction):
    """neat-python's reproduction, made to work for small populations.

    neat-python's raises an error if the elites of all species outnumber the population, and if a population is too
    large by more than one genome for each species that can lose one.
    """

    reproduction_config: Any

    def reproduce(self, config: Any, species: Any, pop_size: int, generation: int) -> dict[int, Genome]:
        whole, largest = self.reproduction_config, pop_size // len(species.species)
        self.reproduction_config = copy.copy(whole)
        self.reproduction_config.elitism = min(whole.elitism, largest)
        self.reproduction_config.min_species_size = min(whole.min_species_size, largest)
        try:
            return super().reproduce(config, species, pop_size, generation)
        finally:
            self.reproduction_config = whole

    def _adjust_spawn_exact(self, spawn_amounts: list[int], pop_size: int, min_species_size: int) -> list[int]:
        amounts = np.array(spawn_amounts)
        while amounts.sum() - pop_size > (spare := amounts > min_species_size).sum() > 0:
            amounts[spare] -= 1
        return super()._adjust_spawn_exact(amounts.tolist(), pop_size, min_species_size)


def configuration(path: Path, population: int) -> neat.Config:
    """The configuration in neat-python's format at `path`, with a population of that size.

    Raises UserError for a missing or malformed file and for networks other than those of rnn.py.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file. Give the name of a file in conf/.")
    parts = (Genome, Reproduction, neat.DefaultSpeciesSet, neat.DefaultStagnation)
    try:
        made = neat.Config(*parts, str(path))
    except (RuntimeError, NameError, AssertionError, KeyError, ValueError, TypeError, configparser.Error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: not a configuration of neat-python: {reason}. Correct the file.") from None
    for name, value in FIXED.items():
        if (given := getattr(made.genome_config, name)) != value:
            raise UserError(f"{path}: {name}: {_text(given)} must be {_text(value)} here")
    for name in made.genome_config.activation_options:
        if name not in ACTIVATIONS:
            raise UserError(f"{path}: activation_options: {name!r} must be one of: {', '.join(ACTIVATIONS)}")
    made.pop_size = population
    made.no_fitness_termination = True  # the number of generations ends it
    return made


def _text(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def network(genome: Genome, config: neat.Config) -> Network:
    """The genome's network as flat arrays: neat-python's RecurrentNetwork without the nodes that reach no output."""
    whole = neat.nn.RecurrentNetwork.create(genome, config)
    definitions = config.genome_config.activation_defs
    code = {definitions.get(name): place for place, name in enumerate(ACTIVATIONS)}
    evaluated = {node[0]: node for node in whole.node_evals}
    needed, waiting = set(), [key for key in (GATE, SCORE) if key in evaluated]
    while waiting:
        needed.add(key := waiting.pop())
        waiting += [source for source, _ in evaluated[key][-1] if source in evaluated and source not in needed]
    nodes = [node for node in whole.node_evals if node[0] in needed]
    place = {INPUT: 0} | {node[0]: number for number, node in enumerate(nodes, 1)}
    zero = len(nodes) + 1  # a node without connections is never computed: its value stays 0
    links = [[(place.get(source, zero), weight) for source, weight in node[-1]] for node in nodes]
    return Network(
        bias=np.array([node[3] for node in nodes], dtype=np.float64),
        response=np.array([node[4] for node in nodes], dtype=np.float64),
        activation=np.array([code[node[1]] for node in nodes], dtype=np.int64),
        first=np.cumsum([0, *(len(of_node) for of_node in links)], dtype=np.int64),
        source=np.array([source for of_node in links for source, _ in of_node], dtype=np.int64),
        weight=np.array([weight for of_node in links for _, weight in of_node], dtype=np.float64),
        gate=place.get(GATE, zero),
        score=place.get(SCORE, zero),
    )


def plain(genome: Genome) -> dict[str, Any]:
    """A genome as plain values, ready for JSON; `from_plain` restores the genome."""
    return {
        "key": genome.key,
        "fitness": genome.fitness,
        "nodes": [{"key": node.key} | _attributes(node) for node in genome.nodes.values()],
        "connections": [
            {"key": list(connection.key), "innovation": connection.innovation} | _attributes(connection)
            for connection in genome.connections.values()
        ],
    }


def from_plain(content: dict[str, Any], config: neat.Config) -> Genome:
    """The genome of `plain` values. Raises KeyError, TypeError or ValueError for other values."""
    made = Genome(int(content["key"]))
    made.fitness = None if content["fitness"] is None else float(content["fitness"])
    for values in content["nodes"]:
        gene = config.genome_config.node_gene_type(int(values["key"]))
        made.nodes[gene.key] = _with_attributes(gene, values)
        if gene.activation not in ACTIVATIONS:
            raise ValueError(f"activation {gene.activation!r}")
    for values in content["connections"]:
        source, target = map(int, values["key"])
        gene = config.genome_config.connection_gene_type((source, target), innovation=int(values["innovation"]))
        made.connections[gene.key] = _with_attributes(gene, values)
        if target not in made.nodes:
            raise ValueError(f"a connection to {target}, which is no node")
    if missing := set(config.genome_config.output_keys) - made.nodes.keys():
        raise ValueError(f"no node {min(missing)}")
    return made


def _attributes(gene: Any) -> dict[str, Any]:
    return {attribute.name: getattr(gene, attribute.name) for attribute in gene._gene_attributes}


def _with_attributes(gene: Any, values: dict[str, Any]) -> Any:
    for attribute in gene._gene_attributes:
        setattr(gene, attribute.name, values[attribute.name])
    return gene
