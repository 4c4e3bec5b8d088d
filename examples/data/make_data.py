#!/usr/bin/env python3
"""Writes the .csv files here from the folder data/ of the npm package
vega-datasets, whose measurements it leaves as they are.

usage: make_data.py FOLDER
"""
import collections
import csv
import json
import os
import sys

source = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))


def rows_of(name):
    with open(os.path.join(source, name)) as file:
        return json.load(file) if name.endswith(".json") else list(
            csv.DictReader(file))


def write(name, head, rows):
    with open(os.path.join(here, name), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
MEASURES = ["Beak Length (mm)", "Beak Depth (mm)", "Flipper Length (mm)",
            "Body Mass (g)"]
write("penguins.csv",
      ["beak_length_mm", "beak_depth_mm", "flipper_length_mm", "body_mass_g",
       "species"],
      [[p[m] for m in MEASURES] + [SPECIES.index(p["Species"])]
       for p in rows_of("penguins.json") if p[MEASURES[0]] is not None])

months = collections.defaultdict(list)
for row in rows_of("co2-concentration.csv"):
    months[int(row["Date"][:4])].append(float(row["adjusted CO2"]))
write("climate.csv", ["year", "co2_ppm", "temperature_anomaly_k"],
      [[int(row["year"]),
        "%.3f" % (sum(months[int(row["year"])]) /
                  len(months[int(row["year"])])), row["temp"]]
       for row in rows_of("global-temp.csv")
       if len(months[int(row["year"])]) >= 9 and int(row["year"]) > 1958
       and int(row["year"]) < 2020])
