"""Human early visual and inferior temporal cortex of 15 people who saw 92 objects."""

import numpy as np
import xarray as xr

from isocortex.cards import DatasetCard
from isocortex.fetching import fetch
from isocortex.recordings import Recording
from isocortex.registry import dataset
from isocortex.stimuli import StimulusSet

from ._ninety_two import OBJECT_IDS, WIDTH_DEGREES, object_dissimilarities, object_metadata


@dataset(
    name="cichy2014",
    summary="92 object photographs in early visual cortex and IT of 15 people (fMRI)",
    version=1,
    species="human",
    method="fMRI",
    recorded="dissimilarities",
    regions=("EVC", "IT"),
    benchmarks=(("EVC", "rsa"), ("IT", "rsa")),
    source="Cichy, Pantazis & Oliva 2014, Nat Neurosci 17:455; as released by "
    "Cichy et al. 2019, arXiv:1905.05675",
    bibtex="""@article{cichy2014resolving,
  title = {Resolving Human Object Recognition in Space and Time},
  author = {Cichy, Radoslaw Martin and Pantazis, Dimitrios and Oliva, Aude},
  journal = {Nature Neuroscience},
  volume = {17},
  number = {3},
  pages = {455--462},
  year = {2014},
  doi = {10.1038/nn.3635},
}
@article{cichy2019algonauts,
  title = {The {Algonauts} Project: A Platform for Communication between the Sciences of Biological
           and Artificial Intelligence},
  author = {Cichy, Radoslaw Martin and Roig, Gemma and Andonian, Alex and Dwivedi, Kshitij and
            Lahner, Benjamin and Lascelles, Alex and Mohsenzadeh, Yalda and Ramakrishnan, Kandan and
            Oliva, Aude},
  journal = {arXiv preprint arXiv:1905.05675},
  year = {2019},
}""",
    licence="BSD-3-style (repository)",
    files={
        "{region}": {
            "url": "https://raw.githubusercontent.com/cvai-roig-lab/Net2Brain/"
            "05ac462951ef792ff2ba70c4b97d5409a8e44289/input_data/brain_data/92images/"
            "fmri_{region}_RDMs.npz",
            "sha256": {
                "EVC": "c73de20f9cb2229f1796085e79c153f63a4287b8bf7faaf7531571b1898d3f8b",
                "IT": "ecf104457ae841d2a2bf503fb0dc16c6387e32d0cd74fb5217ca4ef859a805dd",
            },
        },
        "image {number}": {
            "url": "https://raw.githubusercontent.com/cvai-roig-lab/Net2Brain/"
            "05ac462951ef792ff2ba70c4b97d5409a8e44289/input_data/stimuli_data/92images/"
            "image_{number}.jpg",
            "sha256": {
                "01": "813ceb5e2796c2a35cb6247b34d76ca44c034e174543d9e08cbc829f56ba0c20",
                "02": "7f082b758c40ed87464ea007ed453011c4a0f4738ba59d82b689786be62834af",
                "03": "1c80b55ff6b167fa6b7e7496a3586f0351607c42daeeab2cfe5dd560e576896f",
                "04": "481f841e2bec5fc7e5292302b9b7fdf5f4c9d0bac839d7a4670d15413a545d47",
                "05": "247170db26641bb18f77a6d2143eb38d58cd30258247634323bb53527b88d969",
                "06": "acf1e19ab64d3e3392fa968834aae2520deb48ba7ac3a0ae5f2b039cff5b4e85",
                "07": "882a20b157fa1b6941f747226f9c85f46058d18128824c71698ceee01bc8dfe1",
                "08": "b61a524c83c229ea105a1c230e1d95473c4e137d27265d5e542f36f8264c5368",
                "09": "a1b11541cd5d87990886544e230d769f5127255b237cfb4fa4ceaed4500f132d",
                "10": "1b17813e397fccada83381ca99820ce59c72c3c8051172c83bc1717452d01938",
                "11": "6c89747e88f992a5e01152bf483a3e0eb1a4a0dc93cfda33847beebd594867af",
                "12": "2b3eccc332ec96f5f58018ed4a053a4d730ab175a54aefeaf06c086366f1f642",
                "13": "6229571b91b604354a879cd05c028376e00c2d220b826a73404a19d66e871d2b",
                "14": "224b8fd979f187d0cf3a9f969763d134c319964a8776bc49ea44392e16b920ad",
                "15": "60d678d7ea420d88deb82ed1e4e3d8779e23251f7b3c3b63a586f40a79427847",
                "16": "1a43b77d0a63710db6375756e1f0b90bf8692a2fa320deef1df13333611c6707",
                "17": "cb7042e5795dcc6db8b1cf67b37114616f28c48f7ac5dad610adb5ff87935f29",
                "18": "5b76b54e75b99f5f14307078ea69dc88fb5ffe741ada79b16f01576a4363308a",
                "19": "79d0e5d627a567d23ee8f27c4a5b26f87680f084cb8a5b1246c0bb441680f693",
                "20": "a62e9bbf54c867843fb4cbf5897db75fd6ba64be2b17cd497d8f77023f3282b7",
                "21": "63e4249f81cecd2fbf025e2734b24a974507fa8e22e30551a0579b0885f02c07",
                "22": "1ee3fdef0abb94d61f6157f16d64c26d505bbcfa78b131c64e80ef7bd8621757",
                "23": "d5b95d51cb07b61879cc513309a3d8e51a35260186fce8a703bd175cf711bcb4",
                "24": "cc23e9693601ba43319e92996a2d8cc186a780b3818229b0f9a141f12fa89a75",
                "25": "b63e24103caf83d0468d85eeefdd3af4d19f12a513086ec7ebf31c20180879e1",
                "26": "bb16e6b836de1ba28608824407a1f1870d688c1a71972e653b6e0217f6c51f4e",
                "27": "3e10787cf3e2e9a2ae5c57f857254b2b5227bc32f63c7808af176fe30c15fd97",
                "28": "140fbeb9d802c7b785da77cb620b1d342b3d75a576bccec7e479779a7ace5315",
                "29": "dc0d64cc57df578b4153f22a3ade0866a5cbbc9158fdb232d6bddf21e4b37ed3",
                "30": "0e8afc601d4c9f1176bce05965362b5549a5bb4e6aaa3d0d5b971765ef652b78",
                "31": "c2994432103db5f372f8eeebe7d87607c31f932fa10c2ee0e9bedc9501718039",
                "32": "5a560bade8222ac1bcb9d83ef72875f9bce6382052b78087a483595f3d064d94",
                "33": "3d7b14e9d4e6080dbfa2441fc5bf618e8314d6d770cf07394a8b1963328fc4d3",
                "34": "c18dbbe8bf63ed12fa9c2dd2c16dbc54ca5dd6c07fb92cb34c233d379c5b4818",
                "35": "de0eea831cc43823dee502df8441617216f153a07d099846a841cfbae42d6c7e",
                "36": "b0f1b64f00b182158c8ff5d72d1bfb0248a5d7d556968f3784b26212a5448dfd",
                "37": "b12bd143165b2ee8a68f5c7357219ffce5a1f0f025dc06fb41970174c78a49f9",
                "38": "74b3cd008d0b23254873971e153f4c9a83fd1b3747cb34befe6fc075adc78574",
                "39": "8e45a0d98c44aac34a3deafe1fad16e8d1c442f233a9a042174bb72efde4714d",
                "40": "4b2e5f14e1fd0e4d8d2d33827aa32faa5670cea06725609e53ce54795fede416",
                "41": "699ed191b2c9d565a3eaf4d0e0d67a338610def5f3ae653cc9bbcb0508302e2a",
                "42": "190008cf1ebbd92d5766e961206d842421770d8844ee9311c2fdc182d288b314",
                "43": "f7da5a8bb04fea81cc7783eb440ca9dfc8aba9543939e47d2b11323f9f8e03f2",
                "44": "f2237288f679651249c7304eef9e05d1173d0ecc790b707bbb8dbce35ef41d65",
                "45": "998847d3b3829337c90147a53583f475ecb7455e40f08f448cb6afd2597eb513",
                "46": "c44a1bcca8cfd3d433a2334b5dd4d598385c9b240760b861df59508a83aa5724",
                "47": "4a7bb292f99864867f7d588c782e63273a03d37d44db0e8156def8bd42b319b2",
                "48": "270383b041466ea413ea675c15e5674e10a6a429c23d099a88c6ba37778b1a95",
                "49": "dafc2059b8339c23c83d45e24600eb718cec3462f9bf5d1e0584c1fcfd60f6fc",
                "50": "18201ad6dbb4dbfec687632d59fee6acc1d6e0febee8a7e1a086d36753fb752d",
                "51": "aa718bee0f2eca5b835623a989076d27054bdf1edb2b5f6075aad40a297c0766",
                "52": "e45f370a82c4871ba2471eeeee4f95e59d12af0279db8c79b2e007c46383884b",
                "53": "fac80c006e90fdb3c79608c6af9dd2f7ffd49df5883076afc60f95b5f8c6668c",
                "54": "70f61070355c42828f06c3ccec9187f4496bb238c27177ba2e90adf17c22aa15",
                "55": "dc5e1eff2d9c8fb788e5b2d5cc507a0520668f3020abf7f49d2f09ea1fe691e2",
                "56": "4d24f3a4c6bc561268e4bacedee69f8aa017d3e6b18f39f1616572c32ce5281c",
                "57": "edd966c8788815c2f9d2acc54ddfbfe65ff62dc434e4e27ff6382a21cb032907",
                "58": "15a0ebc7a85796f73c535a7066de5f3248210e1c4d8f00ed13b625e20b6629a0",
                "59": "ea9f81ee7ca4edcac7018893820b89cf5c0480002cdeff56b9c824744f9af545",
                "60": "6269b5d9857138940c24c3dc0b0f551fb6b12e23bfe85280eb04b7cea62136d0",
                "61": "78ab86cfb7b980a8395774f8efda8f8545de478b4c72ee7bcc351133d5a0a750",
                "62": "1db868133eb47ffaa54d3846c0be0d72380a60b349973d311e22470d87b9d354",
                "63": "6666b9b85b6c89cd2798316a62186679c158a943796cdc19f4c059fa2f111fc0",
                "64": "179af5ad589037b8fdb73666816bb9d1dc1601d056b8e25d4bb91a3e376d11d0",
                "65": "c956044d431d257e7c89303c0f0ee917132d8f91504d82827012ee8f2f16381f",
                "66": "1573e34e8c55ae2020779b369ac25149be079da83b29c478f82c1625bc99644a",
                "67": "314de91f3eee824b0bfc7e77569f1de0e72d039d57e8a6cda8085331e32c28ff",
                "68": "d6e0663a430e263662ca743117ee3d36cfcc93ac429193fc7d7a98ea873f600a",
                "69": "8a2fba6ab7ea576aa1f8eef94e5f83bf74d40b8306bec7ac0903c98b437f5438",
                "70": "6dda4980e1f8b4b752b09937460388dc26962371c1cd87109782ede0d73267d0",
                "71": "d763d916871a61633bcda55b089286349506bc262867c2e5b88d5cf86421f520",
                "72": "e062f2e0efe484712e35c45808997211b486ef9b30fa56b1625be49f68891844",
                "73": "b9ad506d7b79844a299d5c2688cfeffacfaa90009c094cb6415f42eee9e14aa2",
                "74": "a33d8c33c0fbcc9b99ed92af9c2418edcb1d7a64ef10997d66546ce527001d8b",
                "75": "33bd7b920b6c787d3e89cc9f355b0cecfd5ccd0f3b3e7a9265d38000cee2997d",
                "76": "ea15645da12fda3d991922885e9544de8adb74f2f1bb25ad7b5dbc79e1f16117",
                "77": "65e3237d0e07339992d1936221cf52cc059884982079fc3f8451b1be8cbda7bb",
                "78": "7113be3c3e91bfe4fccb5a167392bdadcecc772f3d264a74b306d7baa00d6be4",
                "79": "42e8b3bfec5dd0807389261fab34b852e63928f60de3e53502324a84c43d013c",
                "80": "bb99dc34ad5a79dbee8477d8b96efb12cf811fd22c3e4898c331de74737d4604",
                "81": "ed979bc8caefbd039003d9018a25df8c79568942357fbd3a1d5ad5d26165162a",
                "82": "ac49c8b3cbd5f744f30a03246088c9a9131815d1af87e7748642f656302f325f",
                "83": "03d7510027777e72967de7ae822679c1121266b468b1cf011977b59c39f71f66",
                "84": "e53063da752f11df50fe5ffabea63dbc94b6474b77d320664deea3cb4c6939d9",
                "85": "83a55041dfe8f0c0084a5658e75a27caacf3eebbc8f5d876be2517ac927da8c9",
                "86": "8220813089402e9a52288c3f3b8c990b9cc74b9f37c00f1135d22062a73c8038",
                "87": "b9dccbb37363370fd020cd4cfa98d59323f6413bc50f2ff3d266028e6081a2b9",
                "88": "a56f0e0f2c977f2d4e7b81bd70297d19d46818a94dde25d4b78a83253f65ff52",
                "89": "475818ad38c8d2e86182631279cc316c9b4ed770bdf0a704b963f5318758ecc3",
                "90": "6bbf3438d4e36076bbae5c074fceb5d9c12c96799f56dc91e70e4f41a1c09c5e",
                "91": "3164e125b24f434483c6d6bedba279c6442b11a560780290748ba18a4839d158",
                "92": "ea705df5b9c5e516975355438bd0ad4f7edc21dfe85211807565531be18d3fe1",
            },
        },
    },
)
def cichy2014(card: DatasetCard) -> Recording:
    """The dissimilarities of 92 objects for 15 people, in two regions.

    The objects are those of kriegeskorte2008, in the same order and with the same ids, but these
    files show them on white, not on grey: as stimuli they are another set.
    """
    images = [fetch(card.files[f"image {id_[:2]}"]) for id_ in OBJECT_IDS]
    return Recording(
        card=card,
        stimuli=StimulusSet(
            name="cichy2014",
            ids=OBJECT_IDS,
            sources=images,
            degrees=WIDTH_DEGREES,
            metadata=object_metadata(),
        ),
        regions={region: _dissimilarities(card, region) for region in card.regions},
    )


def _dissimilarities(card: DatasetCard, region: str) -> xr.DataArray:
    with np.load(fetch(card.files[region])) as published:
        matrices = published["Net_RDM"]
    return object_dissimilarities(
        matrices,
        [f"{number:02d}" for number in range(1, len(matrices) + 1)],
        units="1 - Pearson correlation",
        provenance="as released for the Algonauts Project 2019",
    )
