// Command ascode brings into a CDS database what CDS would otherwise read from a git repository: worker models, and runs of
// workflows. These rows are signed with the API's keys, so they are written through the engine's own data access packages. A run
// is handed to the API's workflow engine, which makes its jobs and puts them into the queue.
//
//	ascode -config api.toml document.json
//
// prints {"runs":["<run id>", …]}, in the document's order.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/go-gorp/gorp"
	"github.com/spf13/viper"

	"github.com/ovh/cds/engine/api/database/gorpmapping"
	"github.com/ovh/cds/engine/api/entity"
	"github.com/ovh/cds/engine/api/project"
	"github.com/ovh/cds/engine/api/repository"
	"github.com/ovh/cds/engine/api/user"
	"github.com/ovh/cds/engine/api/vcs"
	"github.com/ovh/cds/engine/api/workflow_v2"
	"github.com/ovh/cds/engine/cache"
	"github.com/ovh/cds/engine/database"
	"github.com/ovh/cds/engine/gorpmapper"
	"github.com/ovh/cds/sdk"
)

const branch, commit = "master", "0000000000000000000000000000000000000001"

type document struct {
	Project    string `json:"project"`
	VCS        string `json:"vcs"`
	Repository string `json:"repository"`
	// Username of the initiator of the runs.
	User string `json:"user"`
	// Models become heads of the master branch; one that is there already is replaced.
	Models []sdk.V2WorkerModel `json:"models"`
	// Workflows of which one run each is started. `runs-on` of their jobs is the full path of a model of this document.
	Runs []sdk.V2Workflow `json:"runs"`
}

func main() {
	config := flag.String("config", "", "the API's TOML file")
	flag.Parse()
	if err := run(context.Background(), *config, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, config, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	db, store, err := open(ctx, config)
	if err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck
	where, err := repositoryOf(ctx, tx, doc)
	if err != nil {
		return err
	}
	if err := where.putModels(ctx, tx, doc.Models); err != nil {
		return err
	}
	runs, err := where.putRuns(ctx, tx, doc)
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	ids := make([]string, 0, len(runs))
	for _, one := range runs {
		order := sdk.V2WorkflowRunEnqueue{RunID: one.ID, Initiator: *one.Initiator}
		if err := store.Enqueue(workflow_v2.WorkflowEngineKey, order); err != nil {
			return err
		}
		ids = append(ids, one.ID)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string][]string{"runs": ids})
}

// open connects to the API's database, with the API's keys, and to its cache.
func open(ctx context.Context, config string) (*gorp.DbMap, cache.Store, error) {
	var file struct {
		API struct {
			Database database.DBConfiguration
			Cache    struct {
				TTL   int
				Redis sdk.RedisConf
			}
		}
	}
	viper.SetConfigFile(config)
	if err := viper.ReadInConfig(); err != nil {
		return nil, nil, err
	}
	if err := viper.Unmarshal(&file); err != nil {
		return nil, nil, err
	}
	settings := file.API.Database
	factory, err := database.Init(ctx, settings)
	if err != nil {
		return nil, nil, err
	}
	if err := gorpmapping.ConfigureKeys(
		settings.SignatureKey.GetKeys(gorpmapper.KeySignIdentifier),
		settings.EncryptionKey.GetKeys(gorpmapper.KeyEncryptionIdentifier),
	); err != nil {
		return nil, nil, err
	}
	store, err := cache.New(file.API.Cache.Redis, file.API.Cache.TTL)
	if err != nil {
		return nil, nil, err
	}
	return factory.GetDBMap(gorpmapping.Mapper)(), store, nil
}

// place is a repository as CDS knows it.
type place struct {
	vcs        sdk.VCSProject
	repository sdk.ProjectRepository
}

// repositoryOf finds the document's repository, or puts it there.
func repositoryOf(ctx context.Context, tx gorpmapper.SqlExecutorWithTx, doc document) (*place, error) {
	owner, err := project.Load(ctx, tx, doc.Project)
	if err != nil {
		return nil, err
	}
	host, err := vcs.LoadVCSByProject(ctx, tx, doc.Project, doc.VCS)
	if sdk.ErrorIs(err, sdk.ErrNotFound) {
		host = &sdk.VCSProject{Name: doc.VCS, Type: sdk.VCSTypeGitea, ProjectID: owner.ID, CreatedBy: doc.User}
		err = vcs.Insert(ctx, tx, host)
	}
	if err != nil {
		return nil, err
	}
	repo, err := repository.LoadRepositoryByName(ctx, tx, host.ID, doc.Repository)
	if sdk.ErrorIs(err, sdk.ErrNotFound) {
		repo = &sdk.ProjectRepository{
			Name: doc.Repository, ProjectKey: doc.Project, VCSProjectID: host.ID, CreatedBy: doc.User,
			CloneURL: "https://git.invalid/" + doc.Repository,
		}
		err = repository.Insert(ctx, tx, repo)
	}
	if err != nil {
		return nil, err
	}
	return &place{vcs: *host, repository: *repo}, nil
}

func (at *place) putModels(ctx context.Context, tx gorpmapper.SqlExecutorWithTx, models []sdk.V2WorkerModel) error {
	for _, model := range models {
		data, err := json.Marshal(model)
		if err != nil {
			return err
		}
		ref := sdk.GitRefBranchPrefix + branch
		head, err := entity.LoadHeadEntityByRefTypeName(ctx, tx, at.repository.ID, ref, sdk.EntityTypeWorkerModel, model.Name)
		if err == nil {
			head.Data = string(data)
			err = entity.Update(ctx, tx, head)
		} else if sdk.ErrorIs(err, sdk.ErrNotFound) {
			err = entity.Insert(ctx, tx, &sdk.Entity{
				ProjectKey: at.repository.ProjectKey, ProjectRepositoryID: at.repository.ID, Type: sdk.EntityTypeWorkerModel,
				Name: model.Name, FilePath: ".cds/worker-models/" + model.Name + ".yml", Ref: ref, Commit: commit, Head: true,
				Data: string(data),
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putRuns writes the runs as CDS leaves them when it has read a workflow and found its models: Building, without a job yet.
func (at *place) putRuns(ctx context.Context, tx gorpmapper.SqlExecutorWithTx, doc document) ([]sdk.V2WorkflowRun, error) {
	initiator, err := user.LoadByUsername(ctx, tx, doc.User, user.LoadOptions.WithContacts)
	if err != nil {
		return nil, err
	}
	models := make(map[string]sdk.V2WorkerModel)
	for _, model := range doc.Models {
		models[fmt.Sprintf("%s/%s/%s/%s", doc.Project, doc.VCS, doc.Repository, model.Name)] = model
	}
	runs := make([]sdk.V2WorkflowRun, 0, len(doc.Runs))
	for _, wf := range doc.Runs {
		for name, job := range wf.Jobs {
			if _, known := models[job.RunsOn.Model]; !known {
				return nil, fmt.Errorf("job %q of workflow %q runs on %q, which is no model of this document", name, wf.Name, job.RunsOn.Model)
			}
		}
		number, err := workflow_v2.WorkflowRunNextNumber(tx, at.repository.ID, wf.Name)
		if err != nil {
			return nil, err
		}
		one := sdk.V2WorkflowRun{
			ProjectKey: doc.Project, VCSServerID: at.vcs.ID, VCSServer: at.vcs.Name,
			RepositoryID: at.repository.ID, Repository: at.repository.Name,
			WorkflowName: wf.Name, WorkflowRef: sdk.GitRefBranchPrefix + branch, WorkflowSha: commit,
			Status: sdk.V2WorkflowRunStatusBuilding, RunNumber: number,
			WorkflowData: sdk.V2WorkflowRunData{Workflow: wf, WorkerModels: models, Actions: map[string]sdk.V2Action{}},
			Contexts:     at.contexts(wf.Name, number, doc.User),
			RunEvent:     sdk.V2WorkflowRunEvent{EventName: sdk.WorkflowHookEventNameManual},
			Initiator:    &sdk.V2Initiator{UserID: initiator.ID, User: initiator.Initiator()},
		}
		if err := workflow_v2.InsertRun(ctx, tx, &one); err != nil {
			return nil, err
		}
		runs = append(runs, one)
	}
	return runs, nil
}

func (at *place) contexts(workflow string, number int64, username string) sdk.WorkflowRunContext {
	return sdk.WorkflowRunContext{
		CDS: sdk.CDSContext{
			ProjectKey: at.repository.ProjectKey, Workflow: workflow, RunNumber: number, RunAttempt: 1,
			WorkflowVCSServer: at.vcs.Name, WorkflowRepository: at.repository.Name,
			WorkflowRef: sdk.GitRefBranchPrefix + branch, WorkflowSha: commit, TriggeringActor: username,
		},
		Git: sdk.GitContext{
			Server: at.vcs.Name, Repository: at.repository.Name, RepositoryURL: at.repository.CloneURL,
			Ref: sdk.GitRefBranchPrefix + branch, RefName: branch, RefType: "branch", Sha: commit, ShaShort: commit[:7],
		},
	}
}
