"""The strategies that come with fsbench, registered like those of any other plugin."""

from __future__ import annotations

from fsbench import Strategy, hookimpl
from fsbench_plugins.adabn import Adabn
from fsbench_plugins.augmentation import Augmentation
from fsbench_plugins.autoencoder import Autoencoder
from fsbench_plugins.average import Average
from fsbench_plugins.bagging import Bagging
from fsbench_plugins.balanced_forest import BalancedForest
from fsbench_plugins.balanced_softmax import BalancedSoftmax
from fsbench_plugins.baseline_pp import BaselinePp
from fsbench_plugins.best_classical import BestClassical
from fsbench_plugins.bn_only import BnOnly
from fsbench_plugins.cdan import Cdan
from fsbench_plugins.class_weights import ClassWeights
from fsbench_plugins.coral import Coral
from fsbench_plugins.coteaching import Coteaching
from fsbench_plugins.crt import Crt
from fsbench_plugins.curriculum import Curriculum
from fsbench_plugins.cutmix import Cutmix
from fsbench_plugins.dann import Dann
from fsbench_plugins.dropout import Dropout
from fsbench_plugins.early_stopping import EarlyStopping
from fsbench_plugins.easy_ensemble import EasyEnsemble
from fsbench_plugins.eda import Eda
from fsbench_plugins.elr import Elr
from fsbench_plugins.ema import Ema
from fsbench_plugins.embedding_mixup import EmbeddingMixup
from fsbench_plugins.ensemble import Ensemble
from fsbench_plugins.erm import Erm
from fsbench_plugins.fixmatch import Fixmatch
from fsbench_plugins.focal import Focal
from fsbench_plugins.gce import Gce
from fsbench_plugins.hist_gradient_boosting import HistGradientBoosting
from fsbench_plugins.isotonic import Isotonic
from fsbench_plugins.jacobian import Jacobian
from fsbench_plugins.knn import Knn
from fsbench_plugins.l2_sp import L2Sp
from fsbench_plugins.label_smoothing import LabelSmoothing
from fsbench_plugins.ldam_drw import LdamDrw
from fsbench_plugins.lightgbm import Lightgbm
from fsbench_plugins.logistic_regression import LogisticRegression
from fsbench_plugins.logit_adjustment import LogitAdjustment
from fsbench_plugins.lora import Lora
from fsbench_plugins.lp_ft import LpFt
from fsbench_plugins.m2 import M2
from fsbench_plugins.maml import Maml
from fsbench_plugins.matching import Matching
from fsbench_plugins.mcc import Mcc
from fsbench_plugins.mean_teacher import MeanTeacher
from fsbench_plugins.mixup import Mixup
from fsbench_plugins.mmd import Mmd
from fsbench_plugins.naive_bayes import NaiveBayes
from fsbench_plugins.ohem import Ohem
from fsbench_plugins.optimizer import Optimizer
from fsbench_plugins.platt import Platt
from fsbench_plugins.prior_correction import PriorCorrection
from fsbench_plugins.probe import Probe
from fsbench_plugins.protonet import Protonet
from fsbench_plugins.pseudo_label import PseudoLabel
from fsbench_plugins.r2d2 import R2d2
from fsbench_plugins.randaugment import Randaugment
from fsbench_plugins.random_erasing import RandomErasing
from fsbench_plugins.random_forest import RandomForest
from fsbench_plugins.reptile import Reptile
from fsbench_plugins.resampling import Resampling
from fsbench_plugins.rotation import Rotation
from fsbench_plugins.rusboost import Rusboost
from fsbench_plugins.sam import Sam
from fsbench_plugins.schedule import Schedule
from fsbench_plugins.select import Select
from fsbench_plugins.self_paced import SelfPaced
from fsbench_plugins.self_training import SelfTraining
from fsbench_plugins.shot import Shot
from fsbench_plugins.simclr import Simclr
from fsbench_plugins.simpleshot import Simpleshot
from fsbench_plugins.sklearn import Sklearn
from fsbench_plugins.small_loss import SmallLoss
from fsbench_plugins.snapshot import Snapshot
from fsbench_plugins.spectral import Spectral
from fsbench_plugins.stack import Stack
from fsbench_plugins.svm import Svm
from fsbench_plugins.swa import Swa
from fsbench_plugins.symmetric_ce import SymmetricCe
from fsbench_plugins.tau_norm import TauNorm
from fsbench_plugins.temperature import Temperature
from fsbench_plugins.tent import Tent
from fsbench_plugins.threshold import Threshold
from fsbench_plugins.tip_adapter import TipAdapter
from fsbench_plugins.transfer import Transfer
from fsbench_plugins.trivialaugment import Trivialaugment
from fsbench_plugins.tta import Tta
from fsbench_plugins.vae import Vae
from fsbench_plugins.vat import Vat
from fsbench_plugins.vector_scaling import VectorScaling
from fsbench_plugins.vote import Vote
from fsbench_plugins.weight_decay import WeightDecay
from fsbench_plugins.width import Width
from fsbench_plugins.word_dropout import WordDropout
from fsbench_plugins.xgboost import Xgboost


@hookimpl
def fsbench_strategies() -> list[type[Strategy]]:
    """The bundled strategies."""
    return [
        Adabn,
        Augmentation,
        Autoencoder,
        Average,
        Bagging,
        BalancedForest,
        BalancedSoftmax,
        BaselinePp,
        BestClassical,
        BnOnly,
        Cdan,
        ClassWeights,
        Coral,
        Coteaching,
        Crt,
        Curriculum,
        Cutmix,
        Dann,
        Dropout,
        EarlyStopping,
        EasyEnsemble,
        Eda,
        Elr,
        Ema,
        EmbeddingMixup,
        Ensemble,
        Erm,
        Fixmatch,
        Focal,
        Gce,
        HistGradientBoosting,
        Isotonic,
        Jacobian,
        Knn,
        L2Sp,
        LabelSmoothing,
        LdamDrw,
        Lightgbm,
        LogisticRegression,
        LogitAdjustment,
        Lora,
        LpFt,
        M2,
        Maml,
        Matching,
        Mcc,
        MeanTeacher,
        Mixup,
        Mmd,
        NaiveBayes,
        Ohem,
        Optimizer,
        Platt,
        PriorCorrection,
        Probe,
        Protonet,
        PseudoLabel,
        R2d2,
        Randaugment,
        RandomErasing,
        RandomForest,
        Reptile,
        Resampling,
        Rotation,
        Rusboost,
        Sam,
        Schedule,
        Select,
        SelfPaced,
        SelfTraining,
        Shot,
        Simclr,
        Simpleshot,
        Sklearn,
        SmallLoss,
        Snapshot,
        Spectral,
        Stack,
        Svm,
        Swa,
        SymmetricCe,
        TauNorm,
        Temperature,
        Tent,
        Threshold,
        TipAdapter,
        Transfer,
        Trivialaugment,
        Tta,
        Vae,
        Vat,
        VectorScaling,
        Vote,
        WeightDecay,
        Width,
        WordDropout,
        Xgboost,
    ]
