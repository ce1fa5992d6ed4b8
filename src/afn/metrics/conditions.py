"""The meaning of the codes of replay conditions: names, threat groups and numbers of configurations."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LOW, MEDIUM, HIGH = THREATS = ("low", "medium", "high")


@dataclass(frozen=True)
class TrialConditions:
    """Facts about one corpus' codes. The codes of another corpus have other meanings, even if they look alike."""

    names: Mapping[str, str] = field(default_factory=dict)  # code -> words
    threats: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # part -> code -> low, medium or high
    numbers: Mapping[str, int] = field(default_factory=dict)  # configuration -> its number in the evaluation plan

    def threat(self, part: str, code: str) -> str | None:
        """The threat group of `code`, None if it has none."""
        return self.threats.get(part, {}).get(code)


def _grouped(prefix: str, **groups: str) -> dict[str, str]:
    """Code -> threat, from the numbers of each group."""
    return {f"{prefix}{int(number):02d}": threat for threat, text in groups.items() for number in text.split()}


def _numbered(prefix: str, names: str) -> dict[str, str]:
    return {f"{prefix}{number:02d}": name.strip() for number, name in enumerate(names.split(","), 1)}


# RC01 to RC57, the configurations of ASVspoof 2017's evaluation set
_RC = """
E18P18R12 E08P20R19 E08P21R25 E08P20R25 E08P20R14 E08P21R14 E08P21R18 E02P21R25 E07P20R25 E02P20R25
E07P20R19 E02P20R19 E03P08R20 E07P21R18 E02P21R18 E02P21R14 E07P21R25 E07P20R14 E02P20R14 E07P21R14
E18P11R12 E12P16R11 E20P10R15 E17P12R17 E09P18R12 E17P12R10 E06P09R07 E21P03R01 E18P05R03 E15P19R20
E16P07R07 E17P12R09 E13P14R04 E17P12R04 E13P14R17 E22P04R17 E15P19R04 E12P17R11 E22P03R04 E16P07R06
E13P14R09 E11P26R16 E06P09R06 E13P14R10 E10P25R16 E18P22R21 E23P15R13 E19P22R22 E14P03R17 E01P15R13
E16P07R05 E10P26R16 E14P03R04 E06P09R05 E26P24R24 E25P13R08 E24P23R23
"""

# ASVspoof 2017 Version 2.0. Threat groups: Delgado et al., "ASVspoof 2017 Version 2.0: meta-data analysis and baseline
# enhancements" (Odyssey 2018): low quality is a low threat (its green), high quality a high one (its red). Names: the
# metadata published with the corpus.
ASVSPOOF_2017 = TrialConditions(
    names=_numbered(
        "E",
        "anechoic room, balcony 1, balcony 2, home 7, home 8, canteen, home 1, home 2, home 3, home 4, home 5, home 6,"
        "office 1, office 2, office 3, office 4, office 5, office 6, office 7, office 8, office 9, office 10, studio,"
        "analogue wire 1, analogue wire 2, analogue wire 3",
    )
    | _numbered(
        "P",
        "all-in-one PC, Creative A60, Genelec 8020C, 2 × Genelec 8020C, DT770 headphones, Dell laptop,"
        "Dynaudio BM5A, HP laptop, VIFA M10MD, Acer netbook, BQ M5 phone, Logitech (poor), PC line out,"
        "Labtec LCS-1050, Edirol MA-15D, Lenovo tablet, Logitech S120, MacBook Pro, Altec Lansing Orbit,"
        "Samsung I9100 phone, Samsung P6200 tablet, Behringer B2030A, Scarlett 2i2 line out, Scarlett 2i4 line out,"
        "Genelec 6010A, AKG K242HD",
    )
    | _numbered(
        "R",
        "Zoom H6, BQ M5 phone, cheap headset, Lumia 635 phone, Rode NT2, Rode smartLav+, Galaxy S7 phone, PC mic input,"
        "Zoom H6 + ECM8000, Zoom H6 + MSH-6, Zoom H6 + XY, iPhone 5c, iPhone 7 Plus, iPhone 4, Logitech C920, UMIK-1,"
        "Galaxy Trend 2, Samsung I9100 phone, Samsung P6200 tablet, Trend 2, AKG C3000, SE 2200a,"
        "Scarlett line in, Scarlett line in, Zoom HD1",
    ),
    threats={
        "environment": _grouped(
            "E", low="2 3 6", medium="4 5 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22", high="1 23 24 25 26"
        ),
        "playback": _grouped(
            "P", low="6 8 10 11 16 17 18 20 21", medium="1 2 12 14 19", high="3 4 5 7 9 13 15 22 23 24 25 26"
        ),
        "recorder": _grouped(
            "R", low="2 4 7 12 13 14 17 18 19 20", medium="3 15", high="1 5 6 8 9 10 11 16 21 22 23 24 25"
        ),
    },
    numbers={configuration: number for number, configuration in enumerate(_RC.split(), 1)},
)
