"""What a screen reader is told from a search to a slip: each step's headings, controls and amounts, by role and name."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journeys.conftest import System
from tests.journeys.screens import settle

LONGEST_MS = 20_000
FRAME = """
- link "Aller au contenu"
- banner:
  - link "Comptoir"
  - navigation "Navigation":
    - link /Retour/
    - group: Français
- main
- button "Demander une personne"
- contentinfo:
  - form "Affichage":
    - button "Tout plus bas"
    - button "Contraste fort"
    - button "Texte plus grand"
    - button "Ignorer un second appui"
    - button "Lire à voix haute"
"""
HOME = """
- heading "Que cherchez-vous ?" [level=1]
- region "Sur cette table":
  - link /A1 iPhone 13 128 Go [\\d,]+ €/
- search:
  - searchbox "Rechercher"
  - button "Chercher"
- region "Tout parcourir":
  - link "Téléphones"
"""
LIST = """
- heading "Parcourir" [level=1]
- search:
  - searchbox "Rechercher": iphone 13
- complementary "Affiner":
  - navigation "Catégories":
    - link /Téléphones \\d+/
  - group "Prix":
    - slider "Prix, à partir de"
    - slider "Prix, jusqu’à"
  - combobox "Trier"
- status: /\\d+ appareils/
- list "Choisi":
  - listitem:
    - 'link "Enlever : « iphone 13 »"'
- article:
  - link /Apple iPhone 13 128 Go Bleu · 2021 [\\d,]+ €/:
    - heading "iPhone 13 128 Go" [level=2]
  - checkbox "Comparer iPhone 13 128 Go"
"""
PRODUCT = """
- 'figure "Dessin du modèle : Comptoir"':
  - img "iPhone 13 bleu, dos et face"
- heading "iPhone 13 128 Go, bleu" [level=1]
- navigation "Autres capacités et couleurs":
  - link /128 Go minuit \\d+ €/
- region "Choisir le grade":
  - link /Très bon état [\\d,]+ € /
- region "Avec un forfait ?":
  - group "Votre numéro":
    - link "Je garde mon numéro"
  - link /Sans forfait .* [\\d,]+ € aujourd’hui/
- region "Et avec ?"
- term: Aujourd’hui
- definition: /[\\d,]+ €/
- button "Je choisis →"
"""
SELECTION = """
- heading "Ma sélection" [level=1]
- list:
  - listitem:
    - heading "Apple iPhone 13 128 Go" [level=2]
    - paragraph: /[\\d,]+ €/
    - button "Enlever Apple iPhone 13 128 Go"
- complementary "Continuer chez vous":
  - img "Code QR de cette sélection"
- term: Aujourd’hui
- definition: /[\\d,]+ €/
- button "Mon bon →"
"""
SLIP = """
- heading "Votre bon est prêt. Rien n’est encore commandé." [level=1]
- region /35-[0-9A-Z]+-./:
  - img /Code QR du bon 35-[0-9A-Z]+-./
  - term: Apple iPhone 13 128 Go, État correct
  - definition: /[\\d,]+ €/
  - term: Valable jusqu’au
- button "Imprimer le bon"
- status: /Imprimante prête/
- list:
  - listitem: /Visez le code/
"""


def test_every_step_from_a_search_to_a_slip_is_named(page: Page, shared_system: System) -> None:
    page.emulate_media(reduced_motion="reduce")
    main = page.locator("main")
    page.goto(f"{shared_system.kiosk_url}/home")
    expect(page.locator("body")).to_match_aria_snapshot(FRAME, timeout=LONGEST_MS)
    expect(main).to_match_aria_snapshot(HOME, timeout=LONGEST_MS)

    page.get_by_role("searchbox", name="Rechercher").fill("iphone 13")
    page.get_by_role("button", name="Chercher").click()
    expect(main).to_match_aria_snapshot(LIST, timeout=LONGEST_MS)

    page.get_by_role("link", name="Apple iPhone 13 128 Go Bleu").click()
    expect(main).to_match_aria_snapshot(PRODUCT, timeout=LONGEST_MS)
    expect(page.locator("a.rung[aria-current]")).to_contain_text("État correct")
    expect(page.locator("a.plan[aria-current]")).to_contain_text("Sans forfait")
    expect(page).to_have_title("Apple iPhone 13 · Comptoir")

    page.get_by_role("button", name="Je choisis").click()
    expect(main).to_match_aria_snapshot(SELECTION, timeout=LONGEST_MS)

    page.get_by_role("button", name="Mon bon").click()
    settle(page)
    expect(main).to_match_aria_snapshot(SLIP, timeout=LONGEST_MS)
